"""What each poll passes through, compiled: the tests of the plain modules hold for the compiled ones."""

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from dcops import compiled

ROOT = Path(__file__).parents[2]
COPIED = ("alerting", "bench", "collectors", "console", "dcops", "deploy", "facility", "grafana", "ingest")
OF_POLLS = (
    "deadlines",
    "device",
    "harvest",
    "modbus",
    "overload",
    "plain_tcp",
    "poll",
    "sched",
    "silent",
    "unit",
)
"""How the names of the tests begin that have to do with what is compiled."""

CHANGED = "collectors/modbus/unit.py is newer than what was compiled of it: run make compiled, or make plain"

needs_a_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")


def in_checkout(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """A copy of this checkout, of which nothing is compiled."""
    no_extensions = shutil.ignore_patterns("*.so", "__pycache__")
    for package in (*COPIED, "simulators", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=no_extensions)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this one, compiled."""
    folder = copied(tmp_path_factory.mktemp("compiled"))
    done = in_checkout(folder, "setup.py", "--quiet", "build_ext", "--inplace", DCOPS_COMPILE="1")
    assert done.returncode == 0, done.stdout
    assert not list(folder.glob("*.so")), "an installation finds modules in its packages only"
    return folder


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which a module was changed since it was compiled: whoever imports that fails."""
    folder = copied(tmp_path_factory.mktemp("changed"))
    unit = folder / "collectors" / "modbus" / f"unit{EXTENSION_SUFFIXES[0]}"
    unit.touch()
    os.utime(unit, (1, 1))
    return folder


@needs_a_compiler
def test_it_does_what_it_does_as_plain_python(checkout: Path) -> None:
    found = in_checkout(checkout, "-c", "from collectors.modbus import endpoint; print(endpoint.__file__)")
    assert found.stdout.strip() == str(
        checkout / "collectors" / "modbus" / f"endpoint{EXTENSION_SUFFIXES[0]}"
    )
    tests = sorted(
        str(each.relative_to(checkout))
        for begins in OF_POLLS
        for each in (checkout / "tests" / "collectors").glob(f"test_{begins}*.py")
    )
    done = in_checkout(checkout, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *tests)
    assert done.returncode == 0, done.stdout


@needs_a_compiler
def test_what_was_compiled_is_of_what_is_there(checkout: Path) -> None:
    assert compiled.is_compiled(checkout)
    assert compiled.outdated(checkout) == ""


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("dcops", ["dcops", "profile", "list"]),
        ("dcops", ["dcops.crew"]),
        ("bench", ["bench", "--help"]),
        ("bench", ["bench.campus", "--help"]),
        ("bench", ["bench.soak", "--help"]),
        ("bench", ["bench.modbus_client", "--help"]),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_whoever_changed_a_module_since_is_told(changed: Path, program: str, arguments: list[str]) -> None:
    told = in_checkout(changed, "-m", *arguments)
    assert (told.returncode, told.stdout) == (2, f"{program}: {CHANGED}\n")


def test_whoever_tests_what_was_changed_since_is_told(changed: Path) -> None:
    tested = in_checkout(changed, "-m", "pytest", "-p", "no:cacheprovider", "tests/facility/test_kpis.py")
    assert tested.returncode != 0
    assert CHANGED in tested.stdout


def test_an_installation_is_what_it_was_made_of(tmp_path: Path) -> None:
    module = tmp_path / "collectors" / f"harvest{EXTENSION_SUFFIXES[0]}"
    module.parent.mkdir()
    module.touch()
    source = module.with_name("harvest.py")
    source.touch()
    os.utime(module, (1, 1))
    assert compiled.is_compiled(tmp_path)
    assert compiled.outdated(tmp_path) == ""
    (tmp_path / "setup.py").touch()
    assert compiled.outdated(tmp_path).startswith("collectors/harvest.py is newer")


def test_what_was_compiled_of_a_module_that_was_removed_is_outdated(tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    for name in ("collectors/modbus/former", "facility/compiled__mypyc"):
        module = tmp_path / f"{name}{EXTENSION_SUFFIXES[0]}"
        module.parent.mkdir(parents=True)
        module.touch()
    assert compiled.outdated(tmp_path) == (
        "collectors/modbus/former.py is gone, and what was compiled of it is not:"
        " run make plain, then make compiled"
    )
    (tmp_path / f"collectors/modbus/former{EXTENSION_SUFFIXES[0]}").unlink()
    assert compiled.outdated(tmp_path) == "", "what all share has no source of its own"


def test_plain_python_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "collectors").mkdir()
    (tmp_path / "collectors" / "harvest.py").touch()
    assert not compiled.is_compiled(tmp_path)
