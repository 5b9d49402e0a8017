"""A package index without a network: wheels packed from what is installed here."""

from __future__ import annotations

import re
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIAL = "nbbg-trial"  # a package that is nowhere else; `import nbbg_trial`

ELSEWHERE = (("colorama", "0.4.6"),)  # what IPython needs on other systems; a lock has it too


def make_index(folder: Path, package: str = "ipython") -> Path:
    """A folder of wheels: a package with all that it needs, and the trial package."""
    folder.mkdir()
    for name in sorted(set(_needed(package)) - {"nbbg"}):
        _pack(metadata.distribution(name), folder)
    for name, version in ((TRIAL, "0.9"), (TRIAL, "1.0"), *ELSEWHERE):
        _write(folder, name, version)
    return folder


def header(index: Path, *dependencies: str, more: str = "") -> str:
    """A notebook's header that asks for packages of that index alone."""
    wanted = ", ".join(f'"{name}"' for name in dependencies)
    lines = (
        "# /// script",
        f"# dependencies = [{wanted}]",
        *([f"# {more}"] if more else []),
        "# [tool.uv]",
        "# no-index = true",
        f'# find-links = ["{index}"]',
        "# ///",
    )
    return "\n".join(lines)


def _needed(name: str) -> Iterator[str]:
    yield _normal(name)
    for line in metadata.distribution(name).requires or ():
        wanted, _, marker = line.partition(";")
        found = re.match(r"[A-Za-z0-9._-]+", wanted)
        assert found
        if "extra ==" not in marker and _is_installed(found[0]):
            yield from _needed(found[0])


def _is_installed(name: str) -> bool:
    return any(metadata.distributions(name=name))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pack(installed: metadata.Distribution, folder: Path) -> None:
    name = _normal(installed.name).replace("-", "_")
    skipped = {"INSTALLER", "REQUESTED", "direct_url.json", "__pycache__", "..", "third_party"}
    with zipfile.ZipFile(folder / f"{name}-{installed.version}-py3-none-any.whl", "w") as wheel:
        for file in installed.files or ():
            if not skipped.intersection(file.parts):  # jedi's third_party has thousands of files
                wheel.write(str(file.locate()), str(file))


def _write(folder: Path, name: str, version: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    contents = {
        f"{name.replace('-', '_')}.py": "VALUE = 'trial'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in contents.items():
            wheel.writestr(path, text)
