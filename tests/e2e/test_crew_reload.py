"""A head, its workers and its shards go over to another state of the site while they run."""

import shutil
import signal
from pathlib import Path
from typing import Any

from tests.e2e.crews import Running, running, standing_still
from tests.e2e.hall import until, write_small_site
from tests.e2e.reloads import Table
from tests.e2e.test_shards import CALM, complete, figures_of

FIRST = "b1-h1-r01-k01-pdu-a"
"""A device near the beginning: without it nearly all point indices are others."""


async def points(process: Running) -> dict[str, tuple[Any, Any]]:
    """(value, quality) of every point of a device."""
    found = await until(lambda: process.get("/api/v1/points?limit=1000"), f"{process.folder.name} answers")
    assert found["total"] == len(found["points"])
    return {each["series"]: (each["value"], each["quality"]) for each in found["points"]}


async def test_readings_stay_with_their_points_when_the_site_changes(tmp_path: Path) -> None:
    whole = write_small_site(tmp_path / "whole", shape=CALM)
    site = tmp_path / "site"
    shutil.copytree(whole, site)
    table = Table(site / "devices.csv")
    rows = table.rows()
    series = figures_of(whole)
    async with standing_still(whole):
        one = Running(whole, tmp_path / "one", token=None)
        async with running(one):
            await complete(one, series)
            await one.reads_everything()
            alone = await points(one)
            await one.end()
        table.write(rows, without=[FIRST])
        head = Running(site, tmp_path / "head", "--shard", "1/2", "--workers", "2")
        shard = Running(site, tmp_path / "shard", "--shard", "2/2", "--head", head.url)
        async with running(head, shard):
            few = {name: found for name, found in alone.items() if not name.startswith(f"{FIRST}.")}

            async def all_of(process: Running, expected: dict[str, Any]) -> bool:
                return await points(process) == expected

            await until(lambda: all_of(head, few), "all points without the one device")
            table.write(rows)
            head.process.send_signal(signal.SIGHUP)
            await until(lambda: "the site is loaded anew" in head.log, "the head has loaded it")
            # The shard still sends by the former state, and is understood.
            before = (await head.collector("shard 2/2"))["readings"]

            async def goes_on() -> bool:
                found = await head.collector("shard 2/2")
                assert found["error"] == ""
                return found["readings"] > before + 50

            await until(goes_on, "readings of the former state are taken")
            shard.process.send_signal(signal.SIGHUP)
            await until(lambda: "the site is loaded anew" in shard.log, "the shard has loaded it")
            await until(lambda: all_of(head, alone), "all points of the whole site")
            assert {(await head.collector(name))["restarts"] for name in await head.collectors()} == {0}
            assert [await shard.end(), await head.end()] == [0, 0]
    assert "Traceback" not in head.log + shard.log
