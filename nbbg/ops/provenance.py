"""What is recorded of where a batch was launched: the commit, what was changed since, versions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import secrets

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 5.0  # seconds for git
LARGEST_DIFF = 4 << 20  # bytes; notebooks with outputs make diffs that nobody reads


def of(root: Path) -> dict[str, Any]:
    """Versions, and the commit where there is one."""
    facts: dict[str, Any] = {
        "nbbg": nbbg.__version__,
        "python": sys.executable,
        "python_version": ".".join(str(part) for part in sys.version_info[:3]),
    }
    if commit := _git(root, "rev-parse", "HEAD").strip():
        facts["commit"] = commit.decode()
    return facts


def dirty_diff(root: Path) -> bytes:
    """What differs from the commit, secrets masked; empty without a difference or a commit."""
    diff = _git(root, "diff", "HEAD")
    for secret in secrets.values():
        diff = diff.replace(os.fsencode(secret), b"*" * len(secret))
    if len(diff) > LARGEST_DIFF:
        return diff[:LARGEST_DIFF] + b"\n(cut here: the rest was too large)\n"
    return diff


def _git(root: Path, *arguments: str) -> bytes:
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return b""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout
    return b""
