"""From what was asked to arms: notebooks read, parameters checked, engine, interpreter chosen."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, secrets
from nbbg.classes import dataclass, replace
from nbbg.errors import NbbgError, UsageError
from nbbg.notebook import document, languages, parameters
from nbbg.ops import gather, giving, interpreter, sources
from nbbg.ops.giving import STRICT, Freedom, Giving
from nbbg.ops.layout import USUALLY, Layout
from nbbg.ops.shapes import PLAIN, Given

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence

    from nbbg.notebook.document import Document
    from nbbg.ops.pieces import Piece
    from nbbg.ops.project import Project


@dataclass(frozen=True)
class Wanted:
    """One notebook with one set of parameters, as asked; its name is not settled yet."""

    arm: model.Arm
    notebook: dict[str, Any]
    notes: tuple[str, ...]  # sentences that the person should see
    script: str = ""  # what the `plain` engine executes
    path: str = ""  # the notebook's, absolute
    given: Given = PLAIN
    index: int = 0  # of the set in its piece
    layout: Layout = USUALLY
    told: Mapping[str, Any] | str | None = None  # by what it is told from others; None: by all

    @property
    def frozen(self) -> dict[str, bytes]:
        """The frozen notebook, and script where there is one, under their names in the batch."""
        notebook = json.dumps(self.notebook, ensure_ascii=False, indent=1).encode()
        script = {self.arm.script: self.script.encode()} if self.script else {}
        return {self.arm.frozen: notebook, **script}


def wanted(
    project: Project,
    pieces: Sequence[Piece],
    *,
    seed: int,
    freedom: Freedom = STRICT,
    results: Sequence[str] = (),
) -> list[Wanted]:
    """Every notebook with every set of parameters, checked, each once.

    Args:
        project: where they lie.
        pieces: what was asked for.
        seed: the base.
        freedom: what is allowed beyond what the notebooks declare.
        results: the variables to keep; of none, those of the cells tagged `results`.

    Raises:
        NotebookError, UsageError, EnvironmentFault: something can't be run as asked.
    """
    giving.check_names(results)
    asked = [(piece, *pair) for piece in pieces for pair in piece.pairs()]
    documents = {path: _load(path) for path in dict.fromkeys(path for _, path, _, _ in asked)}
    give = Giving(list(documents.values()), [given for *_, given in asked], freedom)
    bases = {path: _arm(project, doc, seed) for path, doc in documents.items()}
    odd = {
        path: [doc.note, *giving.odd_results(doc, results, bases[path].results)]
        for path, doc in documents.items()
    }
    hidden = secrets.values()
    found: dict[tuple[str, str, int], Wanted] = {}
    for piece, path, index, given in asked:
        want = _with_params(bases[path], documents[path], give, given, hidden)
        notes = tuple(filter(None, [*odd[path], *want.notes]))
        whole = replace(
            want, notes=notes, path=str(path.resolve()), index=index, layout=piece.layout
        )
        found.setdefault(want.arm.identity(), whole)
    return _told_apart(list(found.values()))


def _load(path: Path) -> Document:
    doc = document.load(path)
    gather.refuse_differing(path)
    return doc


def _told_apart(wants: list[Wanted]) -> list[Wanted]:
    """Each with what varies among those of its notebook, or with its label."""
    by_notebook: dict[str, list[Wanted]] = {}
    for want in wants:
        by_notebook.setdefault(want.arm.notebook, []).append(want)
    varying = {
        notebook: set(sources.differing([want.arm.params for want in those]))
        for notebook, those in by_notebook.items()
        if len(those) > 1
    }
    return [replace(want, told=_told(want, varying.get(want.arm.notebook))) for want in wants]


def _told(want: Wanted, varying: Container[str] | None) -> Mapping[str, Any] | str | None:
    if want.given.config is not None:
        return want.given.label
    if varying is None:
        return None
    return {name: value for name, value in want.arm.params.items() if name in varying}


def changed(project: Project, chosen: Iterable[model.Run]) -> list[str]:
    """A sentence for each notebook that differs from what these runs will run again."""
    notes = []
    for arm in {(run.arm.notebook, run.arm.source): run.arm for run in chosen}.values():
        with contextlib.suppress(NbbgError):
            if document.load(project.root / arm.notebook).source_hash != arm.source:
                notes.append(
                    f"{arm.notebook} has changed since: this runs the old code again; for the new:"
                    f" nbbg run {arm.notebook} --runs N --mix"
                )
    return notes


def _arm(project: Project, doc: Document, seed: int) -> model.Arm:
    """What all arms of a notebook have in common."""
    engine = project.settings.engine or ("ipython" if doc.language == "python" else "kernel")
    if engine != "kernel" and doc.language != "python":
        message = f"{doc.path}: the {engine} engine runs Python alone\nuse --engine kernel"
        raise UsageError(message)
    path = doc.path.resolve()
    inside = path.is_relative_to(project.root)
    name = path.relative_to(project.root).as_posix() if inside else str(path)
    return model.Arm(
        name="",
        notebook=name,
        params={},
        seed=seed,
        source=doc.source_hash,
        frozen=_frozen_name(name, inside=inside),
        engine=engine,
        kernel=doc.kernel,
        output="",
        cwd=str(path.parent),
        results=tuple(parameters.results(doc.notebook)) if doc.language == "python" else (),
        **interpreter.of(project, doc, engine),
    )


def _with_params(
    arm: model.Arm, doc: Document, give: Giving, given: Given, hidden: Collection[str]
) -> Wanted:
    taken = give.to(doc, given)
    _refuse_secrets(taken, hidden)
    try:
        injected = languages.parameters(doc.notebook, doc.language, doc.kernel, taken)
    except ValueError as error:
        raise UsageError(f"{doc.path}: {error}") from error
    # As the records will give them back, so that the same call twice is the same arm.
    kept = json.loads(files.to_json(taken))
    notes = tuple(give.check(doc, kept, given.params))
    arm = replace(arm, params=kept, injected=injected)
    if arm.engine != "plain":
        return Wanted(arm, doc.notebook, notes, given=given)
    from nbbg.engines.plain import script as plain

    script = plain.make(doc, kept)
    arm = replace(arm, script=_script_name(doc, script))
    return Wanted(arm, doc.notebook, notes, script, given=given)


def _script_name(doc: Document, text: str) -> str:
    """A folder for each text, for its file has the notebook's name."""
    short = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{paths.FROZEN}/{paths.SCRIPTS}/{short}/{doc.path.stem}.py"


def _refuse_secrets(params: Mapping[str, Any], hidden: Collection[str]) -> None:
    for name, value in params.items():
        if any(secret in json.dumps(value, default=str) for secret in hidden):
            message = (
                f"the parameter {name} holds a secret of the environment, and parameters are"
                " recorded\nread it in the notebook, from os.environ"
            )
            raise UsageError(message)


def _frozen_name(name: str, *, inside: bool) -> str:
    if not inside:
        short = hashlib.sha256(name.encode()).hexdigest()[:12]
        name = f"outside/{short}/{Path(name).name}"
    return f"{paths.FROZEN}/{name}" + ("" if name.endswith(".ipynb") else ".ipynb")
