"""A history whose process dies at any moment."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.stores.duckdb import DuckHistory
from tests.ingest.histories import HOUR, POWER, power, steady
from tests.ingest.plant import NOON, StillClock

DYING = """
import asyncio, os, signal, sys
from pathlib import Path
import duckdb
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history import compaction, files, hot, hot_log, schema, sealing
from tests.ingest.histories import steady
from tests.ingest.plant import NOON, SECOND, StillClock

path, fatal = Path(sys.argv[1]), int(sys.argv[2])
steps = 0

def before(module, name):
    plain = getattr(module, name)
    def counted(*args, **kwargs):
        global steps
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **kwargs)
    setattr(module, name, counted)

before(files, "make_durable")
before(files, "checksum")
before(sealing, "publish")
before(compaction, "publish")
before(compaction, "retire")
before(schema.transaction, "__exit__")
before(files.Folder, "remove")
before(files.Folder, "write")
before(hot, "add_hot")
before(hot, "save_taken")
before(hot_log.os, "fdatasync")
before(hot_log.HotLog, "remove")

async def main():
    clock = StillClock()
    store = DuckHistory(path, clock)
    for number, position in enumerate((1, 4, 5, 2, 3), start=1):
        await store.write([steady(position, 100 * position, 10)])
        print(position, flush=True)
        clock.time = NOON + 900 * number * SECOND
        await store.compact()
    print("done", steps, flush=True)

asyncio.run(main())
"""


async def die_at(step: int, path: Path) -> list[str]:
    command = (sys.executable, "-c", DYING, str(path), str(step))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    assert process.returncode == (0 if lines and lines[-1].startswith("done") else -signal.SIGKILL)
    return lines


async def test_kill_9_at_any_step_of_compaction_loses_and_doubles_nothing(tmp_path: Path) -> None:
    [*_, told] = await die_at(0, tmp_path / "whole" / "history.duckdb")
    steps = int(told.split()[1])
    assert steps > 100
    chosen = range(3, steps, max(1, steps // int(os.environ.get("DCOPS_TEST_KILLS", "8"))))
    for step in chosen:
        path = tmp_path / str(step) / "history.duckdb"
        said = [int(line) for line in await die_at(step, path) if line.isdigit()]
        clock = StillClock(NOON + 2 * HOUR)
        store = DuckHistory(path, clock)
        await store.write([steady(position, 100 * position, 10) for position in range(1, 6)])
        expected = [(float(100 + 10 * n), 5.0, 192) for n in range(50)]
        assert await power(store) == expected, step
        await store.compact()
        assert await power(store) == expected, step
        found = await store.buckets(POWER, NOON, NOON + HOUR, HOUR)
        assert (found.mean.tolist(), found.coverage.tolist()) == ([5.0], [pytest.approx(50 / 360)]), step
        assert await store.check() == [], step
        assert said == [1, 4, 5, 2, 3][: len(said)]
        leftovers = [file.name for file in path.with_suffix(".files").glob("*.tmp")]
        assert leftovers == []
        await store.close()
