"""What is left of what was read when a part of the program fails that should not."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import load
from dcops.system_clock import SystemClock
from facility.sample import Sample
from ingest.journal import Journal
from tests.e2e.hall import write_small_site


async def test_what_was_read_is_journalled_before_a_fault_of_the_program_ends_it(tmp_path: Path) -> None:
    loaded = load(write_small_site(tmp_path / "site"))
    clock = SystemClock()
    platform = Platform(loaded, clock, Settings(data=tmp_path / "data", port=0), {})
    time = clock.now()

    async def fail() -> None:
        platform.tick.accept(Sample(0, time, np.array([12_345.0]), np.array([192], np.uint8)))
        raise LookupError("a fault")

    platform._disk.run = fail  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(60):
            await platform.run(asyncio.Event())
    journal = Journal(tmp_path / "data" / "journal.sqlite", platform.catalogue, ("history",))
    found = [each.batch.expand() for each in journal.read("history", 100_000_000)]
    journal.close()
    assert (0, time, 12_345.0) in {
        (point, at, value)
        for batch in found
        for point, at, value in zip(
            batch.points.tolist(), batch.times.tolist(), batch.values.tolist(), strict=True
        )
    }
