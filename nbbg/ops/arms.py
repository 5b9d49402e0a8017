"""From what was asked to arms: notebooks read, parameters checked, engine, interpreter chosen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, secrets
from nbbg.errors import NbbgError, UsageError
from nbbg.notebook import document, interpreters, kernelspecs, languages
from nbbg.ops import naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.notebook.document import Document
    from nbbg.ops.project import Project


@dataclass(frozen=True)
class Wanted:
    """One notebook with one set of parameters, as asked; its name is not settled yet."""

    arm: model.Arm
    notebook: dict[str, Any]
    note: str  # a sentence that the person should see, or empty

    @property
    def frozen(self) -> bytes:
        """The frozen notebook."""
        return json.dumps(self.notebook, ensure_ascii=False, indent=1).encode()


def wanted(
    project: Project,
    notebooks: Sequence[str],
    params: Sequence[Mapping[str, Any]],
    *,
    seed: int,
    allow_new: bool = False,
) -> list[Wanted]:
    """Every notebook with every set of parameters, checked.

    Raises:
        NotebookError, UsageError, EnvironmentFault: something can't be run as asked.
    """
    documents = [document.load(document.resolve(name)) for name in notebooks]
    if not allow_new:
        _check_params(documents, {name for given in params for name in given})
    arms = [(_arm(project, doc, seed), doc) for doc in documents]
    found = [_with_params(arm, doc, given) for arm, doc in arms for given in params]
    return list({want.arm.identity(): want for want in found}.values())  # each once


def changed(project: Project, chosen: Iterable[model.Run]) -> list[str]:
    """A sentence for each notebook that differs from what these runs will run again."""
    notes = []
    for arm in {run.arm.identity(): run.arm for run in chosen}.values():
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
    if engine == "ipython" and doc.language != "python":
        message = f"{doc.path}: the ipython engine runs Python alone\nuse --engine kernel"
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
        python=_interpreter(project, doc, engine),
        kernel=doc.kernel,
        output="",
        cwd=str(path.parent),
    )


def _with_params(arm: model.Arm, doc: Document, params: Mapping[str, Any]) -> Wanted:
    _refuse_secrets(params)
    try:
        injected = languages.parameters(doc.notebook, doc.language, doc.kernel, params)
    except ValueError as error:
        raise UsageError(f"{doc.path}: {error}") from error
    # As the records will give them back, so that the same call twice is the same arm.
    kept = json.loads(files.to_json(dict(params)))
    return Wanted(replace(arm, params=kept, injected=injected), doc.notebook, doc.note)


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


def _interpreter(project: Project, doc: Document, engine: str) -> str:
    """The interpreter that a Python notebook runs in, checked; empty for another language."""
    named = project.settings.python
    kernel = kernelspecs.find(doc.kernel) if doc.kernel else None
    if kernel is None and doc.kernel and not (named and doc.language == "python"):
        raise kernelspecs.unknown(doc.kernel)
    if doc.language != "python":
        return ""
    if project.settings.executor == "inline" and not named:
        named = sys.executable
    folder = doc.path.resolve().parent
    chosen = interpreters.choose(
        named,
        named_by=project.settings["python"].source,
        kernel=kernel,
        environment=os.environ,
        folder=folder,
        root=project.root,
    )
    return interpreters.check(chosen, engine, os.environ, str(folder)).executable


def _check_params(documents: Sequence[Document], given: set[str]) -> None:
    known = {name for doc in documents for name in languages.declared(doc.notebook, doc.language)}
    if new := sorted(given - known):
        names = f"known: {', '.join(sorted(known))}" if known else "no cell is tagged `parameters`"
        message = (
            f"no notebook of this launch has a parameter {', '.join(new)} ({names})\n"
            "check the spelling, or pass --allow-new-params"
        )
        raise UsageError(message)
