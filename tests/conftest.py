"""What all tests share.

In CI, where every program that a test needs is installed, a skipped test is a failure.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# What a shell starts with `&` ignores SIGINT, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when CI is set and a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    if session.exitstatus == pytest.ExitCode.OK and reporter.stats.get("skipped"):
        reporter.write_line("\nCI is set: a skipped test is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project whose processes are ended with the test."""
    root, home = tmp_path / "project", tmp_path / "home"
    for folder in (root, root / ".git", home):
        folder.mkdir()
    made = Project(root, home)
    yield made
    made.end_all()
