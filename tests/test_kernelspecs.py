"""Finding kernels: the same answer as jupyter_client's, without importing it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from nbbg.errors import EnvironmentFault
from nbbg.notebook import kernelspecs


def kernel(folder: Path, name: str, language: str = "python", argv0: str = "python") -> None:
    """Install a kernel by hand."""
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    said = {
        "argv": [argv0, "{connection_file}"],
        "language": language,
        "display_name": name.upper(),
    }
    (place / "kernel.json").write_text(json.dumps(said))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, with kernels in several of Jupyter's places."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_PREFER_ENV_PATH", "XDG_DATA_HOME", "IPYTHONDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(
        "JUPYTER_PATH", os.pathsep.join(map(str, (tmp_path / "one", tmp_path / "two")))
    )
    kernel(tmp_path / "one", "ir", "R", "/usr/bin/R")
    kernel(tmp_path / "two", "IR", "R", "/opt/R")
    kernel(tmp_path / "two", "julia-1.10", "julia", "/opt/julia")
    kernel(tmp_path / ".local" / "share" / "jupyter", "mine", argv0="/opt/mine/bin/python")
    kernel(tmp_path / ".local" / "share" / "jupyter", "python3", argv0="/opt/user/bin/python")
    kernel(tmp_path / ".ipython", "old")
    return tmp_path


def theirs() -> dict[str, tuple[tuple[str, ...], str, str]]:
    """What jupyter_client finds."""
    specs = KernelSpecManager().get_all_specs()
    return {
        name: (tuple(found["spec"]["argv"]), found["spec"]["language"], found["resource_dir"])
        for name, found in specs.items()
    }


def ours() -> dict[str, tuple[tuple[str, ...], str, str]]:
    """What nbbg finds."""
    return {
        spec.name: (spec.argv, spec.language, str(Path(spec.path).parent))
        for spec in kernelspecs.known()
    }


@pytest.mark.parametrize("prefers", ["", "0", "1"])
def test_kernels_are_those_of_jupyter_client(prefers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same names, programs and folders, whichever of the places goes first."""
    if prefers:
        monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", prefers)
    assert ours() == theirs()
    assert "julia-1.10" in ours()
    for name, (argv, language, _) in theirs().items():
        found = kernelspecs.find(name)
        assert found is not None
        assert (found.argv, found.language) == (argv, language)


def test_the_users_data_folder_may_be_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUPYTER_DATA_DIR and XDG_DATA_HOME move the user's kernels."""
    kernel(home / "data", "here")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
    assert ours() == theirs()
    assert "here" in ours()
    monkeypatch.delenv("JUPYTER_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "xdg"))
    kernel(home / "xdg" / "jupyter", "there")
    assert ours() == theirs()
    assert "there" in ours()


def test_a_name_in_other_letters_is_found(home: Path) -> None:
    """Jupyter's names are compared without their case, and the first folder counts."""
    spec = kernelspecs.find("IR")
    assert spec == kernelspecs.KernelSpec(
        name="ir",
        argv=("/usr/bin/R", "{connection_file}"),
        language="R",
        display_name="IR",
        path=str(home / "one" / "kernels" / "ir" / "kernel.json"),
    )


def test_an_unknown_kernel_is_said_with_those_that_are_known() -> None:
    """The sentence lists the kernels that there are."""
    assert kernelspecs.find("nope") is None
    said = str(kernelspecs.unknown("nope"))
    assert said.startswith(
        "there is no kernel 'nope'; there are: ir, julia-1.10, mine, old, python3"
    )


def test_a_broken_kernel_is_said_when_it_is_wanted(home: Path) -> None:
    """A kernel.json that can't be read is left out of the list, and named when asked for."""
    file = home / "one" / "kernels" / "ir" / "kernel.json"
    for text, reason in (("{", "Expecting"), ("{}", "no 'argv'"), ("[]", "indices")):
        file.write_text(text)
        assert "ir" not in ours()
        with pytest.raises(EnvironmentFault, match=reason) as caught:
            kernelspecs.find("ir")
        assert str(caught.value).startswith(str(file))


def test_the_kernel_that_nbbg_brings_is_always_there(home: Path) -> None:
    """Without any kernelspec, python3 is nbbg's own interpreter, as in jupyter_client."""
    program = "from nbbg.notebook import kernelspecs as k; print(k.find('python3'), k.known())"
    environment = {"HOME": str(home / "empty"), "PYTHONPATH": str(Path(__file__).parents[1])}
    spec = next(
        found
        for found in kernelspecs.known(
            {"HOME": str(home / "empty"), "JUPYTER_PREFER_ENV_PATH": "1"}
        )
        if found.name == "python3"
    )
    assert spec.language == "python"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True
    )
    assert "python3" in done.stdout
