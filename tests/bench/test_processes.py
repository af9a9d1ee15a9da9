"""What programs take, as the benches measure it."""

import asyncio
import sys
from pathlib import Path

import pytest

from bench.campus.processes import Process, running

HOLDS_AND_FREES = """
import signal
held = bytearray(b"1") * (80 << 20)
del held
print("done", flush=True)
signal.pause()
"""
MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the mark of what was resident at most")
async def test_the_most_memory_is_that_of_between_two_looks(tmp_path: Path) -> None:
    with running(Process("holder", [sys.executable, "-c", HOLDS_AND_FREES], tmp_path / "log")) as process:
        while "done" not in process.said():
            process.check()
            await asyncio.sleep(0)
        now = process.memory()
        assert now + 70 * MIB < process.most_memory() < now + 90 * MIB
        process.forget_most_memory()
        assert abs(process.most_memory() - now) < 5 * MIB
