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


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this one, compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    no_extensions = shutil.ignore_patterns("*.so", "__pycache__")
    for package in (*COPIED, "simulators", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=no_extensions)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    done = in_checkout(folder, "setup.py", "--quiet", "build_ext", "--inplace", DCOPS_COMPILE="1")
    assert done.returncode == 0, done.stdout
    assert not list(folder.glob("*.so")), "an installation finds modules in its packages only"
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
def test_whoever_changed_a_module_since_is_told(checkout: Path) -> None:
    assert compiled.is_compiled(checkout)
    assert compiled.outdated(checkout) == ""
    source = checkout / "collectors" / "modbus" / "unit.py"
    built = source.with_name(f"unit{EXTENSION_SUFFIXES[0]}").stat().st_mtime
    before = source.stat()
    os.utime(source, (built + 1, built + 1))
    try:
        words = (
            "collectors/modbus/unit.py is newer than what was compiled of it:"
            " run make compiled, or make plain"
        )
        assert compiled.outdated(checkout) == words
        told = in_checkout(checkout, "-m", "dcops", "profile", "list")
        assert (told.returncode, told.stdout) == (2, f"dcops: {words}\n")
        tested = in_checkout(
            checkout, "-m", "pytest", "-p", "no:cacheprovider", "tests/facility/test_kpis.py"
        )
        assert tested.returncode != 0
        assert words in tested.stdout
    finally:
        os.utime(source, (before.st_atime, before.st_mtime))


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


def test_plain_python_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "collectors").mkdir()
    (tmp_path / "collectors" / "harvest.py").touch()
    assert not compiled.is_compiled(tmp_path)
