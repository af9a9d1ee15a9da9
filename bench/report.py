"""Runs in processes of their own, and what every report begins with."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from dcops.compiled import is_compiled

Figures = dict[str, float]
"""What one run found, by name."""


def in_a_process(module: str, *arguments: object) -> Figures:
    """Run a module of this package on its own; it prints its figures as JSON on its last line.

    Raises:
        RuntimeError: it failed; what it said is already on standard error.
    """
    command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def median(runs: Iterable[Figures], name: str) -> float:
    """The median of one figure."""
    return statistics.median(run[name] for run in runs)


def machine() -> str:
    """The machine and the versions, one line each."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pymodbus", "uvloop", "numpy"))
    return (
        f"{_processor()}, {os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}\n"
        f"Python {platform.python_version()}, {libraries}, {'compiled' if is_compiled() else 'plain Python'}"
    )


def verdict(kept: bool, bar: str) -> str:  # noqa: FBT001 - the sentence needs it
    """One line on a bar."""
    return f"{'kept  ' if kept else 'BROKEN'}  {bar}"


def resident() -> int:
    """Bytes of memory this process has in use now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
