"""What each poll passes through, compiled: the tests of the plain modules hold for the compiled ones."""

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from sysconfig import get_path

import pytest

from dcops import compiled

ROOT = Path(__file__).parents[2]
COPIED = ("alerting", "bench", "collectors", "console", "dcops", "deploy", "facility", "grafana", "ingest")
OF_POLLS = (
    "bad_endpoints",
    "census",
    "changes",
    "contact_on_the_wire",
    "deadlines",
    "device_contact",
    "device_lessons",
    "device_reader",
    "figures",
    "harvest",
    "lessons_restart",
    "library_conformance",
    "modbus_blame",
    "modbus_damage",
    "modbus_datagrams",
    "modbus_endpoint",
    "modbus_link",
    "modbus_protocols",
    "modbus_pymodbus",
    "modbus_rtu",
    "plain_tcp",
    "poll_lateness",
    "schedule",
    "silent_reads",
    "sunspec_contact",
    "unit_health",
)
"""Tests of collectors: of what is compiled they run 98 % of the lines that all do, in a tenth of the time.

Those of overload, of lost connections and of what is unlearned, and the fuzzer, run plain only.
"""

CHANGED = "collectors/modbus/unit.py is newer than what was compiled of it: run make compiled, or make plain"

needs_a_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make") and Path(get_path("include"), "Python.h").exists()),
    reason="no C compiler, or no headers of Python: apt-get install gcc libc6-dev make python3-dev",
)


def former(folder: Path) -> Path:
    """The compiled module of a source that a checkout has no more."""
    return folder / "collectors" / "modbus" / f"former{EXTENSION_SUFFIXES[0]}"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, *arguments, folder=folder)


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
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
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this one, compiled."""
    folder = copied(tmp_path_factory.mktemp("compiled"))
    (folder / ".venv").mkdir()
    former(folder).touch()
    done = run(
        *("make", "--assume-old=.venv/installed", f"BIN={Path(sys.executable).parent}", "compiled"),
        folder=folder,
        MYPYC_OPT_LEVEL="0",
    )
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
    found = python(checkout, "-c", "from collectors.modbus import endpoint; print(endpoint.__file__)")
    assert found.stdout.strip() == str(
        checkout / "collectors" / "modbus" / f"endpoint{EXTENSION_SUFFIXES[0]}"
    )
    tests = [f"tests/collectors/test_{name}.py" for name in OF_POLLS]
    done = python(checkout, "-m", "pytest", "-p", "no:cacheprovider", "-x", *tests)
    assert done.returncode == 0, done.stdout


@needs_a_compiler
def test_what_was_compiled_is_of_what_is_there(checkout: Path) -> None:
    assert compiled.is_compiled(checkout)
    assert compiled.outdated(checkout) == ""
    assert not former(checkout).exists()


@needs_a_compiler
def test_a_source_that_is_edited_while_it_is_compiled_is_newer(checkout: Path) -> None:
    files = [each.stat() for each in (checkout / "collectors").rglob(f"*{EXTENSION_SUFFIXES[0]}")]
    assert len(files) > 20
    dates = {each.st_mtime for each in files}
    assert len(dates) == 1, "all are of when it began"
    assert dates.pop() < min(each.st_ctime for each in files) - 1, "and were written later"
    built = (checkout / ".venv" / "compiled").stat()
    assert built.st_mtime < min(each.st_ctime for each in files) - 1, "and so is what make looks at"


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
    told = python(changed, "-m", *arguments)
    assert (told.returncode, told.stdout) == (2, f"{program}: {CHANGED}\n")


@needs_a_compiler
@pytest.mark.parametrize("missing", ["nothing", "compiler", "headers"])
def test_the_bench_of_a_campus_compiles_where_it_can(missing: str, changed: Path, tmp_path: Path) -> None:
    """It needs a compiler, and the headers of Python, which Debian has in a package of their own."""
    headless = tmp_path / "python-without-headers"
    headless.write_text("#!/bin/sh\necho /nowhere\n")
    headless.chmod(0o755)
    would = run(
        *(str(shutil.which("make")), "--dry-run", "--assume-old=.venv/installed"),
        *(f"PYTHON={headless if missing == 'headers' else sys.executable}", "bench-campus"),
        folder=changed,
        PATH=str(tmp_path) if missing == "compiler" else os.environ["PATH"],
    )
    assert "-m bench.campus" in would.stdout
    assert ("build_ext" in would.stdout) == (missing == "nothing")


def test_whoever_tests_what_was_changed_since_is_told(changed: Path) -> None:
    tested = python(changed, "-m", "pytest", "-p", "no:cacheprovider", "tests/facility/test_kpis.py")
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
    for module in (former(tmp_path), tmp_path / "facility" / f"compiled__mypyc{EXTENSION_SUFFIXES[0]}"):
        module.parent.mkdir(parents=True)
        module.touch()
    assert compiled.outdated(tmp_path) == (
        "collectors/modbus/former.py is gone, and what was compiled of it is not:"
        " run make plain, then make compiled"
    )
    former(tmp_path).unlink()
    assert compiled.outdated(tmp_path) == "", "what all share has no source of its own"


def test_plain_python_is_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "collectors").mkdir()
    (tmp_path / "collectors" / "harvest.py").touch()
    assert not compiled.is_compiled(tmp_path)
