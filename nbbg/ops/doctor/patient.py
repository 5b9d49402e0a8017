"""What is looked at: a project, the machine it is on, and the notebooks that were named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.classes import dataclass, field
from nbbg.errors import StoreError
from nbbg.ops import project
from nbbg.store import place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.ops.project import Project


@dataclass(frozen=True)
class Patient:
    """A project and its surroundings."""

    root: Path  # the project's
    project: Project | None  # None where its store is refused
    refused: str = ""  # why
    notebooks: Sequence[Path] = ()
    machine: Path = Path("/")  # where /etc, /proc, /run, /sys and /var are
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def file(self, path: str) -> str:
        """The text of a file of the machine; empty where there is none."""
        try:
            return (self.machine / path.lstrip("/")).read_text(errors="replace")
        except OSError:
            return ""

    @property
    def store(self) -> place.Store | None:
        """The store, where anything was launched."""
        return self.project.store if self.project and self.project.store.exists() else None

    @property
    def records(self) -> Path:
        """The folder that records are, or would be, written to: it exists."""
        folder = self.project.store.folder if self.project else self.root
        return next(each for each in (folder, *folder.parents) if each.is_dir())


def here(notebooks: Sequence[Path] = ()) -> Patient:
    """The project of the current folder, also one whose store is refused."""
    try:
        found = project.to_read()
    except StoreError as error:
        return Patient(place.find_root(Path.cwd()), None, str(error), notebooks)
    return Patient(found.root, found, notebooks=notebooks)
