"""From what was asked to arms: notebooks read, parameters checked, engine, interpreter chosen."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, secrets
from nbbg.errors import NbbgError, UsageError
from nbbg.notebook import document, languages, parameters
from nbbg.ops import giving, interpreter, naming
from nbbg.ops.giving import STRICT, Freedom, Giving

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.notebook.document import Document
    from nbbg.ops.project import Project


@dataclass(frozen=True)
class Wanted:
    """One notebook with one set of parameters, as asked; its name is not settled yet."""

    arm: model.Arm
    notebook: dict[str, Any]
    notes: tuple[str, ...]  # sentences that the person should see
    script: str = ""  # what the `plain` engine executes

    @property
    def frozen(self) -> dict[str, bytes]:
        """The frozen notebook, and script where there is one, under their names in the batch."""
        notebook = json.dumps(self.notebook, ensure_ascii=False, indent=1).encode()
        script = {self.arm.script: self.script.encode()} if self.script else {}
        return {self.arm.frozen: notebook, **script}


def wanted(
    project: Project,
    notebooks: Sequence[str],
    params: Sequence[Mapping[str, Any]],
    *,
    seed: int,
    freedom: Freedom = STRICT,
    results: Sequence[str] = (),
) -> list[Wanted]:
    """Every notebook with every set of parameters, checked.

    Args:
        project: where they lie.
        notebooks: as they are named.
        params: sets of parameters, one arm each.
        seed: the base.
        freedom: what is allowed beyond what the notebooks declare.
        results: the variables to keep; of none, those of the cells tagged `results`.

    Raises:
        NotebookError, UsageError, EnvironmentFault: something can't be run as asked.
    """
    giving.check_names(results)
    documents = [document.load(document.resolve(name)) for name in notebooks]
    give = Giving(documents, [name for given in params for name in given], freedom)
    arms = [(_arm(project, doc, seed), doc) for doc in documents]
    found = []
    for arm, doc in arms:
        odd = [doc.note, *giving.odd_results(doc, results, arm.results)]
        for given in params:
            want = _with_params(arm, doc, give, given)
            found.append(replace(want, notes=tuple(filter(None, [*odd, *want.notes]))))
    return list({want.arm.identity(): want for want in found}.values())  # each once


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


def settle(
    project: Project, want: Wanted, known: Sequence[model.Arm], name: str | None
) -> model.Arm:
    """The arm under its name: that of the earlier arm that it goes on with, if there is one.

    `known` are the project's arms, oldest first; the newest form of each name counts.

    Raises:
        UsageError: the name belongs to another arm.
    """
    newest = {arm.name: arm for arm in known}
    same = [arm for arm in newest.values() if arm.identity() == want.arm.identity()]
    if name:
        earlier = newest.get(name)
        if earlier and earlier.identity() != want.arm.identity():
            message = f"the name {name!r} belongs to another arm: {_described(earlier)}"
            raise UsageError(message)
    else:
        # A name that somebody gave is joined without giving it again only where it is the only one.
        short = naming.shortest(*_naming(want.arm), set())
        unchanged = [arm for arm in same if arm.source == want.arm.source]
        usual = [arm for arm in same if arm.name == short]
        earlier = next(iter([*usual, *unchanged[::-1], *same]), None)
        name = earlier.name if earlier else naming.shortest(*_naming(want.arm), newest.keys())
    output = naming.output(project.root, want.arm.notebook, name)
    return replace(want.arm, name=name, output=output)


def _described(arm: model.Arm) -> str:
    given = f", parameters {json.dumps(dict(arm.params))}" if arm.params else ""
    return f"{arm.notebook}{given}, seed base {arm.seed}"


def _naming(arm: model.Arm) -> tuple[str, Mapping[str, Any], int]:
    return arm.notebook, arm.params, arm.seed


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


def _with_params(arm: model.Arm, doc: Document, give: Giving, given: Mapping[str, Any]) -> Wanted:
    taken = give.to(doc, given)
    _refuse_secrets(taken)
    try:
        injected = languages.parameters(doc.notebook, doc.language, doc.kernel, taken)
    except ValueError as error:
        raise UsageError(f"{doc.path}: {error}") from error
    # As the records will give them back, so that the same call twice is the same arm.
    kept = json.loads(files.to_json(taken))
    notes = tuple(give.check(doc, kept, given))
    arm = replace(arm, params=kept, injected=injected)
    if arm.engine != "plain":
        return Wanted(arm, doc.notebook, notes)
    from nbbg.engines.plain import script as plain

    script = plain.make(doc, kept)
    return Wanted(replace(arm, script=_script_name(doc, script)), doc.notebook, notes, script)


def _script_name(doc: Document, text: str) -> str:
    """A folder for each text, for its file has the notebook's name."""
    short = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{paths.FROZEN}/{paths.SCRIPTS}/{short}/{doc.path.stem}.py"


def _refuse_secrets(params: Mapping[str, Any]) -> None:
    hidden = secrets.values()
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
