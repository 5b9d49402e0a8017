"""The project that bad inputs are put into."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import secrets
from tests.fuzz.trial import Trial
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A project of this module's tests alone, as the current folder."""
    folder = tmp_path_factory.mktemp("trial")
    root, home = folder / "project", folder / "home"
    (root / ".git").mkdir(parents=True)
    home.mkdir()
    Project(root, home).write("good.ipynb", "lr", parameters="lr = 0.1\nsteps: int = 3\nname = 'a'")
    before, was = Path.cwd(), dict(os.environ)
    os.environ.update(HOME=str(home), NBBG_PYTHON=PYTHON, NO_COLOR="1")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.chdir(root)
    yield Trial(root, home)
    os.chdir(before)
    os.environ.clear()
    os.environ.update(was)
    secrets._learned.clear()  # noqa: SLF001 - of this process; a command's own ends with it
