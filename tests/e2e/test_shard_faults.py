"""A shard that hangs, and what the campus says of it meanwhile and afterwards."""

import asyncio
import shutil
import signal
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

from collectors.shares import Share, share_of
from dcops.crew.roles import SHARD
from dcops.site_file import load
from tests.e2e.crews import Running, exported, running, standing_still
from tests.e2e.hall import until, write_small_site
from tests.e2e.reloads import Table
from tests.e2e.test_crew_reload import FIRST
from tests.e2e.test_shards import CALM, campus, complete, figures_of


async def metrics(process: Running) -> list[str]:
    def read() -> list[str]:
        with urlopen(f"{process.url}/metrics", timeout=60) as answer:
            return list(answer.read().decode().splitlines())

    return await asyncio.to_thread(read)


async def waiting(shard: Running) -> float:
    """Readings that a shard has still to hand over."""
    name = 'dcops_store_waiting_readings{store="head"} '
    return next(float(line.removeprefix(name)) for line in await metrics(shard) if line.startswith(name))


async def test_a_shard_that_is_ahead_of_its_head_loses_nothing_until_that_follows(tmp_path: Path) -> None:
    whole = write_small_site(tmp_path / "whole", shape=CALM)
    site = tmp_path / "site"
    shutil.copytree(whole, site)
    table = Table(site / "devices.csv")
    rows = table.rows()
    series = figures_of(whole)
    polled = share_of(load(whole).plan, Share(2, 2), SHARD).modbus[-1].device
    async with standing_still(whole):
        one = Running(whole, tmp_path / "one", token=None)
        async with running(one):
            alone = await complete(one, series)
            await one.end()
        table.write(rows, without=[FIRST])
        head = Running(site, tmp_path / "head", "--shard", "1/2")
        shard = Running(site, tmp_path / "shard", "--shard", "2/2", "--head", head.url)
        async with running(head, shard):
            await head.reads_everything()
            table.write(rows)
            shard.process.send_signal(signal.SIGHUP)

            async def refused() -> bool:
                return (await head.collector("shard 2/2"))["state"] == "refused"

            await until(refused, "the head refuses what it does not know")

            async def kept() -> bool:
                return await waiting(shard) > 500

            await until(kept, "readings wait in the shard")
            head.process.send_signal(signal.SIGHUP)
            assert await complete(head, series) == alone

            async def handed_over() -> bool:
                return await waiting(shard) < 100

            await until(handed_over, "the shard has handed over what waited")
            assert [await shard.end(), await head.end()] == [0, 0]
        found = exported(head.folder / "data")
    assert len(found) == len(set(found))
    times = sorted(time for name, time in found if name.startswith(f"{polled}."))
    assert max(later - time for time, later in pairwise(times)) < 3 * 4_000, "no poll is missing"
    assert "Traceback" not in head.log + shard.log


async def test_a_shard_that_hangs_is_missing_and_comes_back_whole(tmp_path: Path) -> None:
    site = write_small_site(tmp_path / "site", shape=CALM)
    series = figures_of(site)
    theirs = share_of(load(site).plan, Share(2, 2), SHARD)
    async with standing_still(site):
        head = Running(site, tmp_path / "head", "--shard", "1/2")
        shard = Running(site, tmp_path / "shard", "--shard", "2/2", "--head", head.url)
        async with running(head, shard):
            before = await complete(head, series)

            async def listed() -> bool:
                return (await head.get("/api/v1/collection"))["states"]["online"] == 71 + 11

            await until(listed, "the shard has told of its devices, too")
            shard.process.send_signal(signal.SIGSTOP)

            async def missing() -> bool:
                found = await campus(head, ["campus.power_coverage"])
                return any(value < 1.0 for value, _ in found.values())

            await until(missing, "the total says what it lacks")

            seen: list[object] = []

            async def told() -> bool:
                alarms = [each["id"] for each in (await head.get("/api/v1/alarms"))["alarms"]]
                states = (await head.get("/api/v1/collection"))["states"]
                seen[:] = [states, alarms]
                # On a busy machine more than the shard may be silent, and another alarm speaks for it.
                return states["suspect"] >= len(theirs.modbus) and any("silent" in each for each in alarms)

            await until(told, lambda: f"its devices count as suspect, an alarm speaks for them: {seen}")
            lines = await metrics(head)
            assert 'dcops_collector_up{collector="shard 2/2"} 0.0' in lines
            for endpoint in theirs.endpoints:
                assert not [
                    each for each in lines if each.startswith(f'dcops_endpoint_up{{endpoint="{endpoint.id}"')
                ]
            shard.process.send_signal(signal.SIGCONT)
            assert await complete(head, series) == before
            await head.reads_everything()
            assert [await shard.end(), await head.end()] == [0, 0]
        rows = exported(head.folder / "data")
    assert len(rows) == len(set(rows)) > 0
    assert "Traceback" not in head.log + shard.log
