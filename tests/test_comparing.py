"""A comparison claims what its figures bear out, and says what can't be told."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nbbg.errors import UsageError
from nbbg.results import wording
from nbbg.results.comparing import compare
from nbbg.results.samples import LeftOut, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbbg.results.comparison import Comparison
    from tests.project import Project

BASE = np.random.default_rng(5).normal(80, 1, 30)
NOISE = np.random.default_rng(6).normal(0, 0.4, (4, 30))


def a_sample(arm: str, values: Iterable[float], first: int = 1, **more: Any) -> Sample:
    """An arm with these values for the seeds from `first` on."""
    return Sample(arm, dict(enumerate(map(float, values), first)), **more)


def two(n: int, shift: float, noise: float = 1.0, **options: Any) -> Comparison:
    """`vit`, better by `shift`, against `resnet`, over n paired seeds."""
    vit = a_sample("vit", BASE[:n] + shift + noise * NOISE[0, :n])
    return compare([a_sample("resnet", BASE[:n]), vit], "accuracy", **options)


def said(found: Comparison) -> str:
    """The first sentence of the verdict."""
    return found.verdict[0]


def test_a_winner_is_named_with_its_figures() -> None:
    """Difference, interval, share of seeds, p-value, seeds and failures stand in one sentence."""
    lost = [LeftOut(9, 9, "failed"), LeftOut(10, 10, "failed"), LeftOut(11, 11, "accuracy is NaN")]
    vit = a_sample("vit", BASE[:8] + 0.8 + NOISE[0, :8])
    found = compare([a_sample("resnet", BASE[:8], left_out=lost), vit], "accuracy")
    (pair,) = found.pairs
    assert found.winner == pair.better == "vit"
    assert pair.decided
    assert pair.p == 4 / 2**8
    assert said(found) == (
        f"vit is better than resnet: accuracy {pair.difference:+.2f} [{pair.interval.low:.2f},"  # type: ignore[union-attr]
        f" {pair.interval.high:.2f}], better on 88 % of seeds, p = .016"  # type: ignore[union-attr]
        " (8 paired seeds, 2 resnet runs failed, 1 resnet run: accuracy is NaN)"
    )
    assert found.summaries["resnet"].failures == 3
    assert str(found).startswith(said(found))


def test_lower_is_better_turns_all_around() -> None:
    """The winner is the lower one; the sentence has the metric's own sign, figures the winner's."""
    found = two(10, 0.8, lower_is_better=True)
    (pair,) = found.pairs
    assert found.winner == "resnet"
    assert pair.difference > 0
    assert said(found).startswith("resnet is better than vit: accuracy -")
    assert list(found.summaries) == ["resnet", "vit"]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_with_few_seeds_no_test_can_decide(n: int) -> None:
    """However large the difference: under 6 paired seeds nobody wins, and it is said why."""
    found = two(n, 50.0)
    assert not found.winner
    assert said(found).startswith("undecided: accuracy +")
    assert f"with {n} no test can decide" in said(found)
    assert "although the interval leaves out 0" in said(found)
    assert found.pairs[0].needed == 6


def test_undecided_says_how_many_seeds_would_do() -> None:
    """As many as 80 % power takes for the difference that was seen, or more than can be counted."""
    found = two(8, 0.05)
    needed = found.pairs[0].needed
    assert needed is not None
    assert needed > 8
    assert f"; about {needed} seeds would be needed to show such a difference" in said(found)
    vit = a_sample("vit", BASE[:8] + np.array([1, -1, 1, -1, 1, -1, 1, -1 + 1e-6]))
    found = compare([a_sample("resnet", BASE[:8]), vit], "accuracy")
    assert "; more than 1000 seeds would be needed to show so small" in said(found)


def test_interval_and_p_value_must_both_say_so() -> None:
    """An interval that leaves out 0 is no claim where p is not small, nor the other way round."""
    differences = np.array([0.2, 0.3, 0.5, 0.1, 0.6, 0.4, 0.7, -0.25])
    vit = a_sample("vit", BASE[:8] + differences - 0.02)
    found = compare([a_sample("resnet", BASE[:8]), vit], "accuracy")
    (pair,) = found.pairs
    assert pair.interval is not None
    assert pair.p is not None
    assert (pair.interval.low > 0) == ("the interval leaves out 0" in said(found) or pair.decided)
    flips = [1.0, 1, 1, 1, 1, 1, 9]
    found = compare([a_sample("a", flips), a_sample("b", [0.0] * 7)], "x")
    (pair,) = found.pairs
    assert pair.p == 2 / 2**7
    assert pair.interval is not None
    assert pair.interval.low < 0
    assert not pair.decided
    assert said(found).endswith("the p-value is under 0.05, but the interval holds 0")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [1, 2, 4, 6, 9, 17])
@pytest.mark.parametrize("arms", [2, 3, 4])
def test_sentences_agree_with_figures(arms: int, n: int, seed: int) -> None:
    """A winner beats every other arm after Holm and by its interval; nobody else is called one."""
    dice = np.random.default_rng(seed)
    samples = [a_sample(f"m{k}", dice.normal(k * seed / 3, 1, n)) for k in range(arms)]
    found = compare(samples, "acc")
    for pair in found.pairs:
        assert pair.difference >= 0
        if pair.decided:
            assert pair.p_holm is not None
            assert pair.interval is not None
            assert pair.p_holm <= 0.05
            assert pair.interval.low > 0
    beaten = [pair.worse for pair in found.pairs if pair.better == found.winner and pair.decided]
    assert len(beaten) == (arms - 1 if found.winner else 0)
    assert bool(found.winner) == bool(re.match(r"m\d is better than", said(found)))


def test_the_best_that_cant_be_told_apart() -> None:
    """Of many arms without a winner, those that nobody beats are named, and who is worse."""
    samples = [
        a_sample(name, BASE[:12] + shift + NOISE[at, :12])
        for at, (name, shift) in enumerate({"a": 0, "b": 3.05, "c": 3, "d": -2}.items())
    ]
    found = compare(samples, "acc")
    assert not found.winner
    told, _, rest = said(found).partition("; ")
    assert sorted(re.findall(r"\b[bc]\b", told.rpartition(":")[2])) == ["b", "c"]
    assert rest.startswith("a, d are each worse than at least one arm; ")
    assert "after Holm over 6 pairs (12 paired seeds)" in rest


def test_a_winner_of_many_beats_each() -> None:
    """The sentence gives the figures of the rival with the largest p-value, however far it is."""
    samples = [a_sample(f"m{k}", BASE[:12] + k + NOISE[k, :12]) for k in range(4)]
    found = compare(samples, "acc")
    assert found.winner == "m3"
    assert said(found).startswith(
        "m3 is better than each of the 3 others; least surely than m2: acc +"
    )


def test_a_baseline_is_compared_with_each() -> None:
    """Pairs without it are not made, so that fewer are corrected for; each gets its sentence."""
    samples = [a_sample(f"m{k}", BASE[:12] + (k > 1) + NOISE[k, :12]) for k in range(4)]
    found = compare(samples, "acc", baseline="m0")
    assert len(found.pairs) == 3
    assert all("m0" in (pair.better, pair.worse) for pair in found.pairs)
    text = "\n".join(found.verdict)
    assert "m2 is better than m0" in text
    assert re.search(
        r"undecided: m1 against m0: acc .* for m\d, p = \S+ after Holm over 3 pairs \(12 ", text
    )
    assert not found.winner


@pytest.mark.parametrize(
    ("first", "paired", "n"),
    [(1, True, 8), (4, True, 5), (5, True, 4), (6, False, 8), (20, False, 8)],
)
def test_seeds_pair_where_half_of_them_do(first: int, *, paired: bool, n: int) -> None:
    """Else Welch's test takes all of them; what does not pair is said."""
    found = compare([a_sample("a", BASE[:8]), a_sample("b", BASE[8:16], first)], "acc")
    (pair,) = found.pairs
    assert (pair.paired, pair.n) == (paired, n)
    assert any("do not pair" in note for note in found.notes) != paired
    lone = "seeds that one arm lacks count in the figures of the other, not in the difference"
    assert any(lone in note for note in found.notes) == (paired and n < 8)


def test_welch_with_few_seeds_can_decide_from_four_each() -> None:
    """Three and three have 20 ways to be dealt: no p-value under .1."""
    for n, can in ((3, False), (4, True)):
        found = compare([a_sample("a", BASE[:n]), a_sample("b", BASE[:n] + 99, 50)], "acc")
        assert bool(found.winner) == can
        assert ("no test can decide" in said(found)) != can


def test_steadier_is_a_line_of_its_own() -> None:
    """The spread is claimed by Brown and Forsythe's test, apart from who is better."""
    samples = [a_sample("calm", NOISE[0, :12] / 9), a_sample("wild", NOISE[1, :12] * 9)]
    found = compare(samples, "acc")
    assert found.pairs[0].steadier == "calm"
    assert re.fullmatch(
        r"calm is steadier than wild: SD 0\.\d+ against \d\.\d+, p < .001 \(Brown-Forsythe\)",
        found.verdict[1],
    )
    assert two(8, 0.1).verdict[1].startswith("neither is shown to be steadier: SD ")
    assert len(two(6, 0.1).verdict) == 1  # too few to test


def test_bootstrap_intervals_from_ten_seeds_on() -> None:
    """With fewer they cover too little, so there is none."""
    assert two(9, 0.1).summaries["vit"].mean_interval is None
    found = two(10, 0.1).summaries["vit"]
    assert found.mean_interval is not None
    assert found.mean is not None
    assert found.mean_interval.low < found.mean < found.mean_interval.high


EMPTY = Sample("none", {}, [LeftOut(7, 1, "failed")])


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        (
            [a_sample("a", [1, 2, 3])],
            "can't compare: it takes two arms, and of those asked for only a has acc",
        ),
        ([a_sample("a", [1]), a_sample("b", [2])], "can't tell with 1 paired seed: acc +1 for b"),
        ([a_sample("a", [0] * 9), a_sample("b", [0] * 9)], "no difference: acc is 0 in every run"),
        (
            [a_sample("a", [1, 2]), EMPTY],
            "can't tell: of 2 arms only a has values of acc that count",
        ),
        (
            [a_sample("a", [1, 2, 3]), a_sample("b", [3, 2, 1])],
            "no difference was seen: the mean acc of both is the same (3 paired seeds)",
        ),
    ],
)
def test_what_can_not_be_told_is_said(samples: Sequence[Sample], verdict: str) -> None:
    """One arm, one run, equal values, an arm without any: an honest sentence each."""
    assert said(compare(samples, "acc")) == verdict


@pytest.mark.parametrize("baseline", ["", "b"])
def test_an_arm_without_values_stands_apart(baseline: str) -> None:
    """The others are compared; of the arm that failed it is said that nothing can be said."""
    samples = [a_sample("a", BASE[:12] + 3), a_sample("b", BASE[:12] + NOISE[0, :12]), EMPTY]
    found = compare(samples, "acc", baseline=baseline)
    assert found.winner == "a"
    assert said(found).startswith("a is better than b: acc +")
    assert said(found).endswith("(12 paired seeds, 1 none run failed)")
    assert found.verdict[-1] == "nothing can be said of none, which has no acc that counts"
    samples.append(a_sample("c", BASE[:12] + 6 + NOISE[1, :12]))
    assert said(compare(samples, "acc")).startswith("c is better than each of the 2 others; ")
    found = compare(samples, "acc", baseline="none")
    assert said(found) == "can't tell: the baseline none has no acc that counts"


def test_notes_say_what_a_reader_must_know() -> None:
    """Runs to come, versions of the code, constants, and a loss without `--lower-is-better`."""
    vit = a_sample("vit", [1] * 8, left_out=[LeftOut(9, 9, "running")], sources=["1", "2"])
    found = compare([vit, a_sample("resnet", BASE[:8])], "val/loss")
    assert found.summaries["vit"].failures == 0
    notes = "\n".join(found.notes)
    assert "a higher val/loss counts as better; if it is not: --lower-is-better" in notes
    assert "not ended yet: 1 of vit" in notes
    assert "val/loss is the same in every run of vit: is the seed used?" in notes
    assert "vit: its runs executed 2 versions of the code" in notes
    assert "running" not in "\n".join(found.verdict)


@pytest.mark.parametrize(
    ("samples", "baseline", "message"),
    [
        ([EMPTY], "", "no value of acc counts: failed\n"),
        (
            [EMPTY, Sample("b", {}, [LeftOut(k, k, "acc is no number") for k in (1, 2)])],
            "",
            "counts: acc is no number \\(2 runs\\), failed \\(1 run\\)",
        ),
        ([], "", "no value of acc counts"),
        ([a_sample("a", [1]), a_sample("b", [1])], "c", "'c' is none of the arms a, b"),
        ([a_sample("a", [1, 1e300])], "", "acc of a, seed 2, is 1e\\+300"),
        ([a_sample("a", [math.inf])], "", "acc of a, seed 1, is inf"),
        ([a_sample("a", [1e-300, 0])], "", "every acc is at most 1e-300: no statistics of that"),
        ([a_sample(str(k), [k]) for k in range(61)], "", "61 arms are too many"),
    ],
)
def test_what_can_not_be_compared_is_refused(
    samples: Sequence[Sample], baseline: str, message: str
) -> None:
    """In one or two lines that say what to type."""
    with pytest.raises(UsageError, match=message):
        compare(samples, "acc", baseline=baseline)


def test_many_arms_of_many_seeds() -> None:
    """Each with each: a winner far above the others is found after 190 corrections."""
    dice = np.random.default_rng(1)
    samples = [a_sample(f"m{k}", dice.normal(5 * (k == 7), 1, 18)) for k in range(20)]
    assert compare(samples, "acc").winner == "m7"


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (0.8, (0.2, 1.4), "+0.8 [0.2, 1.4]"),
        (-0.0123, (-0.0147, -0.01), "-0.0123 [-0.0147, -0.0100]"),
        (0.011, (0.0004, 0.0216), "+0.0110 [0.0004, 0.0216]"),
        (1234.4, (1000, 1500), "+1234 [1000, 1500]"),
        (2e9, (1e9, 3e9), "+2e+09 [1e+09, 3e+09]"),
        (1e-9, (-1e-9, 3e-9), "+1e-09 [-1e-09, 3e-09]"),
        (0.5, None, "+0.5"),
    ],
)
def test_rounding_never_says_something_else(
    value: float, ends: tuple[float, float] | None, text: str
) -> None:
    """An end that is not 0 is never printed as 0."""
    assert wording.difference(value, ends) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0156, "p = .016"), (0.0004, "p < .001"), (1.0, "p = 1"), (0.05, "p = .05"),
     (0.0501, "p = .0501"), (0.0499, "p = .0499"), (0.3, "p = .3")],
)  # fmt: skip
def test_p_values_are_never_rounded_to_the_level(p: float, text: str) -> None:
    """Three decimals, more where they would say .05."""
    assert wording.p_value(p) == text


def test_compare_command(project: Project) -> None:
    """`nbbg compare` shows arms, pairs and the verdict; `nbbg.compare` returns what prints so."""
    cell = (
        "import nbbg, os, random\nseed = int(os.environ['SEED'])\n"
        "assert not (lr == 2 and seed == 7)\nrandom.seed(seed)\n"
        "nbbg.log(acc=random.gauss(80, 1) + lr + random.gauss(0, 0.1), flat=1, word='high')"
    )
    project.write("train.ipynb", cell, parameters="lr = 0.0")
    project.nbbg(
        "run", "train.ipynb", "-p", "lr=0,2", "--runs", "7", "--jobs", "2", "--wait", code=1
    )
    done = project.nbbg("compare", "--metric", "acc")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:5] == ["arm", "n", "left", "out", "mean"]
    assert lines[1].split()[:3] == ["train/lr=2", "6", "1"]
    assert "train/lr=2 is better than train/lr=0: acc +2." in done.stdout
    assert "(6 paired seeds, 1 train/lr=2 run failed)" in done.stdout
    assert "ahead       behind      n  higher by" in done.stdout
    assert "seeds that one arm lacks count in the figures of the other" in done.stderr
    found = json.loads(project.nbbg("compare", "--metric", "acc", "--json").stdout)
    assert found["winner"] == "train/lr=2"
    assert found["pairs"][0]["p"] == 2 / 2**6
    assert found["arms"][0]["left_out"][0]["why"] == "failed"
    assert found["arms"][0]["values"].keys() == {"1", "2", "3", "4", "5", "6"}
    project.write(
        "look.ipynb",
        "import nbbg\nfound = nbbg.compare('train/lr=0', metric='acc', baseline='train/lr=2')\n"
        "print(found, repr(found) == str(found))",
    )
    project.nbbg("run", "look.ipynb", "--executor", "inline", "--wait", code=None)
    log = project.log(15)
    assert "train/lr=2 is better than train/lr=0" in log
    assert log.rstrip().endswith(" True")
    same = project.nbbg("compare", "--metric", "flat").stdout
    assert "no difference: flat is 1 in every run" in same


BAD = [
    (("--metric", "ac"), "no run has a metric 'ac'; did you mean acc?; there are acc, word"),
    (("--metric", "word"), "no value of word counts: word is no number"),
    (("--metric", "acc", "--baseline", "vit"), "'vit' is none of the arms train"),
    (("train", "--metric", "acc", "--baseline", "vit"), "there is no 'vit'"),
    (("--metric", "acc", "--last", "3", "--reduce", "best"), "--last 3 is --reduce mean:3"),
    (("vit", "--metric", "acc"), "there is no 'vit'"),
    ((), "arguments are required: --metric"),
]


def test_bad_input_is_refused(project: Project) -> None:
    """One or two lines, exit code 2."""
    project.write("train.ipynb", "import nbbg\nnbbg.log(acc=1.5, word='high')")
    assert not project.nbbg("compare", "--metric", "acc", code=2).stdout
    project.nbbg("run", "train.ipynb", "--wait")
    for words, message in BAD:
        done = project.nbbg("compare", *words, code=2)
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2
        assert not done.stdout
    one = project.nbbg("compare", "--metric", "acc")
    assert (
        "can't compare: it takes two arms, and of those asked for only train has acc" in one.stdout
    )


def test_a_library_that_is_not_there_is_named(project: Project) -> None:
    """Without SciPy or NumPy `compare` says what to type, and everything else works."""
    project.environment["PYTHONPATH"] = str(project.home)
    project.environment["PYTHONDONTWRITEBYTECODE"] = "1"  # of two files of one second and size
    project.write("train.ipynb", "import nbbg\nnbbg.log(acc=1, loss=2)")
    project.nbbg("run", "train.ipynb", "--wait")
    for library in ("scipy", "numpy"):
        blocked = f"import sys\nsys.modules['{library}'] = None\n"
        (project.home / "sitecustomize.py").write_text(blocked)
        done = project.nbbg("compare", "--metric", "acc", code=2)
        assert done.stderr == (
            f"nbbg: comparing needs {library}, which is not installed\n"
            "pip install 'nbbg[compare]'\n"
        )
        project.nbbg("results")
        page = project.nbbg("report", "-o", "-")  # of two metrics, with the figures of each
        assert f"no figures: comparing needs {library}" in page.stderr
        assert "acc by arm" not in page.stdout


def test_a_time_on_different_machines() -> None:
    """Where arms ran on different machines, a metric that is a time is remarked; no other is."""
    arms = [
        a_sample("a", BASE[:8], machines=["gpu1"]),
        a_sample("b", BASE[:8] + NOISE[0, :8], machines=["gpu1", "gpu2"]),
    ]
    where = "b on gpu1 and gpu2; a on gpu1"
    said = f"epoch_seconds may tell of the machines: {where}; apart: --by machine"
    assert said in compare(arms, "epoch_seconds").notes
    assert not any("machine" in note for note in compare(arms, "loss").notes)
    assert not any("machine" in note for note in compare([arms[0]] * 2, "epoch_seconds").notes)
