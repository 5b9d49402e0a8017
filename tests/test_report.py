"""The report: complete, harmless in a real browser, and small however many runs there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import matplotlib as mpl
import pytest

from nbbg import model
from nbbg.cli import reported
from nbbg.ops.report import content, page
from tests import records
from tests.browser import EVIL, SCRIPT, browse
from tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "hunter2-hunter2"
TRAIN = f"""\
import nbbg, os
seed = int(os.environ["SEED"])
print({EVIL!r}, os.environ["API_TOKEN"])
for step in range(5):
    nbbg.log(accuracy=0.5 + shift + seed / 100, step=step)
if seed == 3:
    raise ValueError({EVIL!r} + os.environ["API_TOKEN"])
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two arms of three seeds, one of which failed, and all of it hostile."""
    folder = tmp_path_factory.mktemp("report")
    project = Project(folder / "project", folder / "home", {"API_TOKEN": SECRET})
    project.environment["MPLCONFIGDIR"] = mpl.get_cachedir()  # fonts are looked for once
    for path in (project.root, project.root / ".git", project.home):
        path.mkdir()
    project.write("train.ipynb", TRAIN, parameters="shift = 0.0\ntext = ''")
    given = ["-p", "shift=0,0.1", "-p", f"text={EVIL}", "--note", EVIL]
    project.nbbg("run", "train.ipynb", "--runs", "3", "--jobs", "3", *given, "--wait", code=1)
    yield project
    project.end_all()


def test_what_it_tells(done: Project) -> None:
    """Verdict, pictures, table, failures with their cards, what was run, links, and warnings."""
    said = done.nbbg("report", "-o", "out.html")
    assert said.stderr.startswith("out.html: 6 runs, ")
    html = (done.root / "out.html").read_text()
    text = re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)
    for part in (
        "project: accuracy",
        "6 runs of 2 arms: 4 succeeded, 2 failed",
        "with 2 ",
        "failed: cell 3: ValueError",
        "raise ValueError(",
        "nbbg run train.ipynb --runs 3 --jobs 3",
        "0.1.0 on Python 3.",
        "packages of ",
        "&quot;shift&quot;: 0.1",
    ):
        assert part in text, part
    assert html.count("<img ") == 5  # seeds, differences, curves, both parameters
    assert html.count("<h3>runs 5, 6 of ") == 1
    links = [unquote(link) for link in re.findall(r'href="([^"]*)"', html)]
    assert len(links) == 6
    assert all((done.root / link).is_file() for link in links)
    assert SECRET not in html


def test_from_another_folder(done: Project) -> None:
    """Links lead from where the report lies; an older report is replaced, other files are not."""
    folder = done.root / "sent to"
    folder.mkdir()
    for names in (["b1"], ["1", "3"]):
        done.nbbg("report", *names, "--metric", "accuracy", "-o", folder / "r.html")
    html = (folder / "r.html").read_text()
    assert "2 runs of 1 arm: 2 succeeded" in html
    (link, *_) = re.findall(r'href="([^"]*)"', html)
    assert (folder / unquote(link)).is_file()
    (folder / "mine.html").write_text("mine")
    said = done.nbbg("report", "-o", folder / "mine.html", code=2).stderr
    assert "nbbg did not make it" in said
    assert "mkdir -p" in done.nbbg("report", "-o", "no/such.html", code=2).stderr
    assert "there are accuracy" in done.nbbg("report", "--metric", "loss", code=2).stderr


def test_nothing_in_it_runs(done: Project, tmp_path: Path) -> None:
    """In a browser no script of notebook, parameter, note or error runs; nothing is asked for."""
    html = done.nbbg("report", "-o", "-").stdout.encode()
    found = browse(html, tmp_path)
    assert not found.console
    assert 'data-ran="yes"' not in found.shown
    assert "What went wrong" in found.shown
    tags = set(re.findall(r"<(\w+)", found.shown))
    assert not tags & {"script", "iframe", "svg", "form", "input", "object", "base", "math", "link"}
    assert not re.search(r"<[^>]* on\w+=", found.shown)
    sources = re.findall(r'<\w+ [^>]*src="([^"]*)', found.shown)
    assert all(source.startswith("data:image/") for source in sources)


def test_the_browser_would_have_complained(tmp_path: Path) -> None:
    """A script that slips in is stopped by the page, and the console says so: the test can fail."""
    html = page.render(content.Report("t", "a")).replace(
        b"</body>", f"<script>{SCRIPT}</script></body>".encode()
    )
    found = browse(html, tmp_path)
    assert found.console
    assert 'data-ran="yes"' not in found.shown


def test_the_picture_of_a_comparison(done: Project) -> None:
    """`--plot` makes a picture and replaces its own; seeds and curves are drawn in the terminal."""
    done.nbbg("compare", "1", "2", "--metric", "accuracy", "--plot", "c.svg")
    shown = done.nbbg("compare", "--metric", "accuracy", "--plot", "c.svg")
    assert "picture: c.svg" in shown.stderr
    assert (done.root / "c.svg").read_bytes().startswith(b"<?xml")
    assert re.search(r"\ntrain/shi.*[│|] +[•o]", shown.stdout)
    (done.root / "mine.png").write_bytes(b"mine")
    for name, why in (("mine.png", "did not make it"), ("c.gif", ".png, .svg, .pdf")):
        said = done.nbbg("compare", "--metric", "accuracy", "--plot", name, code=2).stderr
        assert why in said
    assert (done.root / "mine.png").read_bytes() == b"mine"
    assert re.search(r"\ncurve +[▅+]{5} accuracy: 5 values", done.nbbg("show", "1").stdout)


def a_run(number: int) -> model.Run:
    """A run that was made up."""
    return model.Run(
        *(number, 1, records.an_arm(), number, number, 1, model.Succeeded(), "local", 0.0, "/no"),
        metrics={"loss": 1 / number},
    )


def test_of_many_runs_some() -> None:
    """Of 1,000 runs the table has the first, and says how to have all; the page stays small."""
    table = reported.runs([a_run(number) for number in range(1, 1001)], Path.cwd())
    assert len(table.rows) == reported.ROWS
    assert table.about == "500 of 1000 runs are shown; all: nbbg results --csv runs.csv"
    assert len(page.render(content.Report("t", "a", tables=[("Runs", table)]))) < 200_000


def test_without_libraries_it_says_so(done: Project) -> None:
    """Where NumPy, SciPy or matplotlib is missing, the rest is there, with what to type."""
    missing = (("numpy", "compare"), ("scipy", "compare"), ("matplotlib", "pictures"))
    for library, extra in missing:
        blocked = done.root / f"no-{library}"
        blocked.mkdir()
        (blocked / "sitecustomize.py").write_text(f"import sys\nsys.modules[{library!r}] = None\n")
        done.environment["PYTHONPATH"] = str(blocked)
        page_of = done.nbbg("report", "-o", "-")
        html = page_of.stdout
        assert f"nbbg[{extra}]" in page_of.stderr
        del done.environment["PYTHONPATH"]
        assert f"nbbg[{extra}]" in html
        assert "What went wrong" in html
        assert "<img " not in html


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever text holds a secret of the environment, the page has asterisks."""
    monkeypatch.setenv("API_TOKEN", SECRET)
    html = page.render(content.Report("t", f"a {SECRET}", verdict=[f"{SECRET} wins"])).decode()
    assert SECRET not in html
    assert "*" * len(SECRET) in html
