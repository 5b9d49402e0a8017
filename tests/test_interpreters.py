"""Choosing the Python of a run, in the order that is promised, and checking it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters import asking, choosing
from nbbg.notebook.interpreters.choosing import Interpreter
from nbbg.notebook.kernelspecs import KernelSpec


def python(place: Path, answer: str = "") -> str:
    """A program that can be taken for an interpreter, and its path."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{answer}\n")
    place.chmod(0o755)
    return str(place)


def spec(argv0: str) -> KernelSpec:
    """A kernel with that program."""
    return KernelSpec("mine", (argv0, "-m", "ipykernel_launcher"), "python", "Mine", "")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of interpreters are kept with the test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.fixture(name="bare")
def bare_environment(tmp_path: Path) -> str:
    """A virtual environment without any package; returns its interpreter."""
    folder = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return str(folder / "bin" / "python")


def test_the_first_that_applies_is_chosen(tmp_path: Path) -> None:
    """Each source of the order goes before those after it."""
    root, folder = tmp_path / "project", tmp_path / "project" / "a" / "b"
    folder.mkdir(parents=True)
    environment = {
        "HOME": str(tmp_path),
        "PATH": str(tmp_path / "path"),
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "CONDA_PREFIX": str(tmp_path / "conda"),
    }

    def chosen(named: str = "", kernel: KernelSpec | None = None) -> Interpreter:
        return choosing.choose(
            named, kernel=kernel, environment=environment, folder=folder, root=root
        )

    assert chosen() == Interpreter(sys.executable, "nbbg's own")
    on_path = python(tmp_path / "path" / "python3")
    assert chosen() == Interpreter(on_path, "python3 on PATH")
    python(tmp_path / ".venv" / "bin" / "python")
    assert chosen().source == "python3 on PATH"
    in_project = python(root / ".venv" / "bin" / "python")
    assert chosen() == Interpreter(in_project, ".venv of the project")
    nearer = python(root / "a" / ".venv" / "bin" / "python")
    assert chosen() == Interpreter(nearer, ".venv of the project")
    conda = python(tmp_path / "conda" / "bin" / "python")
    assert chosen() == Interpreter(conda, "CONDA_PREFIX")
    venv = python(tmp_path / "venv" / "bin" / "python3")
    assert chosen() == Interpreter(venv, "VIRTUAL_ENV")
    assert chosen(kernel=spec("/opt/bin/python3.12")).source == "the kernel mine"
    assert chosen(kernel=spec("/opt/bin/python3.12")).path == "/opt/bin/python3.12"
    assert chosen(kernel=spec("python")).source == "VIRTUAL_ENV"
    assert chosen(kernel=spec("/usr/bin/env")).source == "VIRTUAL_ENV"
    assert chosen(str(tmp_path / "conda"), spec("/opt/bin/python")).path == conda


def test_a_header_goes_before_all_but_a_name(tmp_path: Path) -> None:
    """Its environment is made only when its turn comes, and a kernel does not come before it."""
    asked: list[str] = []

    def made() -> str:
        asked.append("made")
        return "/made/bin/python"

    def chosen(named: str) -> Interpreter:
        return choosing.choose(
            named,
            made=made,
            kernel=spec("/opt/bin/python3"),
            environment={},
            folder=tmp_path,
            root=tmp_path,
        )

    assert chosen(sys.executable) == Interpreter(sys.executable, "--python")
    assert not asked
    assert chosen("") == Interpreter("/made/bin/python", "its PEP 723 header")


def test_condas_base_is_no_choice_of_the_project(tmp_path: Path) -> None:
    """It is active in every shell of many people, so a `.venv` goes before it."""
    environment = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "base"}
    base = python(tmp_path / "conda" / "bin" / "python")

    def chosen() -> str:
        return choosing.choose("", environment=environment, folder=tmp_path, root=tmp_path).path

    assert chosen() == base
    own = python(tmp_path / ".venv" / "bin" / "python")
    assert chosen() == own
    environment["CONDA_DEFAULT_ENV"] = "ml"
    assert chosen() == base


def test_an_environment_without_its_python_is_said(tmp_path: Path) -> None:
    """A `.venv` whose Python was removed is not passed over; nor is one that conda has none in."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/nowhere/python3.9")
    empty = tmp_path / ".conda" / "envs" / "r"
    (empty / "conda-meta").mkdir(parents=True)
    (tmp_path / ".conda" / "environments.txt").write_text(f"{empty}\n")

    def said(named: str) -> str:
        with pytest.raises(EnvironmentFault) as caught:
            choosing.choose(
                named, environment={"HOME": str(tmp_path)}, folder=tmp_path, root=tmp_path
            )
        return str(caught.value)

    gone = (
        f"the Python that {venv} was made from is gone: /nowhere/python3.9\n"
        f"make it anew: python3 -m venv --clear {venv}, or name another: --python PATH"
    )
    assert said("") == f".venv of the project: {gone}"
    assert said(str(venv)) == said(str(venv / "bin" / "python")) == f"--python: {gone}"
    for named in (str(empty), "conda:r"):
        assert said(named).splitlines()[0] == f"the conda environment {empty} has no Python"


def test_what_is_named_may_have_many_forms(tmp_path: Path) -> None:
    """An executable, an environment's folder, a name on PATH, and `~` all name an interpreter."""
    path = python(tmp_path / "bin" / "python3.12")
    environment = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}
    in_venv = python(tmp_path / "venv" / "bin" / "python")

    def chosen(named: str) -> Interpreter:
        return choosing.choose(
            named, named_by="NBBG_PYTHON", environment=environment, folder=tmp_path, root=tmp_path
        )

    assert chosen(path) == Interpreter(path, "NBBG_PYTHON")
    assert chosen("python3.12") == Interpreter(path, "NBBG_PYTHON")
    assert chosen(str(tmp_path / "venv")).path == in_venv
    assert chosen("~/venv").path == in_venv
    for wrong, said in (
        ("python9", "NBBG_PYTHON: there is no interpreter python9\ngive a path"),
        (str(tmp_path / "gone" / "python"), "there is no interpreter"),
        (str(tmp_path / "bin"), f"NBBG_PYTHON: {tmp_path}/bin holds no bin/python"),
    ):
        with pytest.raises(EnvironmentFault) as caught:
            chosen(wrong)
        assert said in str(caught.value)


def test_conda_environments_are_found_by_name(tmp_path: Path) -> None:
    """conda's own list, CONDA_EXE, micromamba's prefix and the usual folders are searched."""
    roots = [tmp_path / name for name in ("miniforge3", "mamba", "opt")]
    ml = python(roots[0] / "envs" / "ml" / "bin" / "python")
    base = python(roots[0] / "bin" / "python")
    fast = python(roots[1] / "envs" / "fast" / "bin" / "python")
    exe = python(roots[2] / "envs" / "exe" / "bin" / "python")
    far = python(tmp_path / "far" / "bin" / "python")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{tmp_path}/far\n{tmp_path}/gone\n")
    environment = {
        "HOME": str(tmp_path),
        "MAMBA_ROOT_PREFIX": str(roots[1]),
        "CONDA_EXE": str(roots[2] / "bin" / "conda"),
    }

    def chosen(name: str) -> str:
        return choosing.choose(
            f"conda:{name}", environment=environment, folder=tmp_path, root=tmp_path
        ).path

    names = ("ml", "base", "fast", "exe", "far")
    assert [chosen(name) for name in names] == [ml, base, fast, exe, far]
    with pytest.raises(EnvironmentFault) as caught:
        chosen("nope")
    assert str(caught.value) == (
        "there is no conda environment 'nope'; there are: base, exe, far, fast, ml\n"
        "give its folder instead: --python /path/to/envs/NAME"
    )


def test_a_virtual_environment_is_not_left(bare: str, tmp_path: Path) -> None:
    """Its interpreter is a link, which is not followed: the run is in the environment."""
    folder = Path(bare).parents[1]
    environment = {"PATH": os.defpath, "VIRTUAL_ENV": str(folder)}
    found = choosing.choose("", environment=environment, folder=tmp_path, root=tmp_path)
    assert found.path == bare
    facts = asking.check(found, "plain")
    assert facts.executable == bare
    assert facts.python == ".".join(map(str, sys.version_info[:3]))
    assert not facts.ipython


def test_missing_packages_are_said(bare: str, tmp_path: Path) -> None:
    """No IPython, an old IPython, no ipykernel: each says what to type."""
    found = Interpreter(bare, "VIRTUAL_ENV")
    site = tmp_path / "site"
    environment = {"PATH": os.defpath, "PYTHONPATH": str(site)}

    def said(engine: str = "ipython") -> str:
        with pytest.raises(EnvironmentFault) as caught:
            asking.check(found, engine, environment)
        return str(caught.value)

    another = "or name another interpreter: --python PATH"
    assert said() == (
        f"{bare} (VIRTUAL_ENV) has no IPython\nuv pip install --python {bare} ipython, {another}"
    )
    (Path(bare).parent / "pip").touch()
    release = site / "IPython" / "core" / "release.py"
    release.parent.mkdir(parents=True)
    (site / "IPython" / "__init__.py").write_text("raise SystemExit('imported')\n")
    release.write_text("_version_major = 7\n_version_minor = 29\n_version_patch = 0\n")
    assert said() == (
        f"{bare} (VIRTUAL_ENV) has IPython 7.29.0; a run needs 7.30 or later\n"
        f"{bare} -m pip install -U ipython, {another}"
    )
    release.write_text("_version_major = 8\n_version_minor = 3\n_version_patch = 1\n")
    assert asking.check(found, environment=environment).ipython == "8.3.1"
    assert said("kernel").splitlines()[0] == f"{bare} (VIRTUAL_ENV) has no ipykernel"


def test_what_does_not_work_is_said(tmp_path: Path) -> None:
    """A file that is no program, one that fails, one that hangs, one that is too old."""

    def said(path: str) -> str:
        with pytest.raises(EnvironmentFault) as caught:
            asking.check(Interpreter(path, "--python"), timeout=0.3)
        return str(caught.value).splitlines()[0]

    plain = tmp_path / "plain"
    plain.write_text("")
    assert said(str(plain)) == f"{plain} (--python) can't be started: Permission denied"
    failing = python(tmp_path / "failing", "echo no libpython >&2; exit 127")
    assert said(failing) == f"{failing} (--python) is no working Python: no libpython"
    hanging = python(tmp_path / "hanging", "exec sleep 60")
    assert said(hanging) == f"{hanging} (--python) did not answer within 0.3 s"
    old = python(tmp_path / "old", "echo nbbg 3.7.9 7.31.0 yes /old/python")
    assert said(old) == f"{old} (--python) is Python 3.7.9; a run needs 3.8 or later"
    foreign = python(
        tmp_path / "python.exe", r"printf 'nbbg 3.12.1 9.0.0 - C:\\Python\\python.exe\n'"
    )
    assert said(foreign) == f"{foreign} (--python) is a Python for Windows"


def test_a_wrapper_into_a_container_is_started_itself(tmp_path: Path) -> None:
    """The interpreter's own path means nothing outside; that of an ordinary wrapper does."""
    wrapper = python(tmp_path / "inside", "echo nbbg 3.12.1 9.0.0 - /in/the/container/python")
    assert asking.check(Interpreter(wrapper, "--python")).executable == wrapper
    shim = python(tmp_path / "shim", f'echo noise; exec {sys.executable} "$@"')
    assert asking.check(Interpreter(shim, "--python")).executable == sys.executable


def test_a_system_that_keeps_pip_out_is_known(tmp_path: Path) -> None:
    """Where pip may not install, an environment is advised."""
    system = python(tmp_path / "bin" / "python3", "echo nbbg 3.11.2 - - $0")
    marker = tmp_path / "lib" / "python3.11" / "EXTERNALLY-MANAGED"
    marker.parent.mkdir(parents=True)
    marker.touch()
    with pytest.raises(EnvironmentFault) as caught:
        asking.check(Interpreter(system, "python3 on PATH"))
    assert (
        str(caught.value)
        .splitlines()[1]
        .startswith(f"{system} -m venv .venv && .venv/bin/python -m pip install ipython, or")
    )


def test_nbbgs_own_interpreter_is_asked_without_a_process() -> None:
    """The facts about nbbg's own interpreter are those that it would answer."""
    own = Interpreter(sys.executable, "nbbg's own")
    facts = asking.check(own, "kernel", environment={}, folder="/nowhere", timeout=0)
    copied = Interpreter(f"{os.path.dirname(sys.executable)}/./python", "--python")
    assert facts.ipykernel
    asked = asking.check(copied, "kernel")
    assert (asked.python, asked.ipython) == (facts.python, facts.ipython)


def test_an_interpreter_is_asked_once(bare: str, tmp_path: Path) -> None:
    """Its answer holds until a folder that it imports from, or it itself, has changed."""
    found = Interpreter(bare, ".venv of the project")
    site = tmp_path / "site"
    release = site / "IPython" / "core" / "release.py"
    release.parent.mkdir(parents=True)
    (site / "IPython" / "__init__.py").touch()
    release.write_text("_version_major = 8\n_version_minor = 3\n_version_patch = 1\n")
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(site)}

    def answer(timeout: float = 60) -> str:
        return asking.check(found, environment=environment, timeout=timeout).ipython

    assert answer() == "8.3.1"
    release.write_text("_version_major = 9\n_version_minor = 0\n_version_patch = 0\n")
    assert answer(timeout=0) == "8.3.1"  # no process answers within no time
    (site / "ipython-9.0.0.dist-info").mkdir()
    assert answer() == "9.0.0"
    os.utime(Path(bare).parents[1] / "pyvenv.cfg")
    with pytest.raises(EnvironmentFault, match="did not answer"):
        answer(timeout=0)
    environment["PYTHONPATH"] = ""
    with pytest.raises(EnvironmentFault, match="has no IPython"):
        answer()
    for kept in tmp_path.glob(".cache/nbbg/interpreters/*"):
        kept.write_text("{")
    environment["PYTHONPATH"] = str(site)
    assert answer() == "9.0.0"
