"""Two shards of one site, each a process of its own, and the head that makes one campus of them."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcops.site_file import load
from facility.catalogue import build_catalogue
from tests.e2e.crews import Running, exported, running, standing_still
from tests.e2e.hall import SMALL, until, write_small_site
from tests.servers.processes import free_port

CALM = replace(SMALL, period="4s")
"""A busy machine must not make readings stale."""
BRISK = replace(SMALL, period="2s")
"""Where only what is journalled counts."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_small_site(tmp_path / "site", shape=CALM)


def figures_of(site: Path) -> list[str]:
    """What of the campus is of one moment: powers, temperatures, their coverage, the ratio of powers.

    Energies over windows go on while a process runs; test_shard_totals has them.
    """
    catalogue = build_catalogue(load(site).site)
    rollups = [each.name for each in catalogue.group("campus").fields]
    moving = ("_age", "energy", "estimated", "volume")
    ratios = [f"campus.power_ratio.{category}.power_ratio_instant" for category in (1, 2, 3)]
    return [f"campus.{name}" for name in rollups if not name.endswith(moving)] + ratios


async def campus(process: Running, series: list[str]) -> dict[str, Any]:
    found = {each: await process.get(f"/api/v1/points/{each}") for each in series}
    return {each: (point["value"], point["quality"]) for each, point in found.items() if point}


async def complete(process: Running, series: list[str]) -> dict[str, Any]:
    """The campus' figures once all of it is measured."""

    async def whole() -> dict[str, Any] | None:
        found = await campus(process, series)
        shares = [value for name, (value, _) in found.items() if name.endswith("coverage")]
        measured = len(found) == len(series) and shares and set(shares) == {1.0}
        # Figures are asked for one by one: what has not changed since is of one moment.
        return found if measured and found == await campus(process, series) else None

    return await until(whole, f"{process.folder.name} has all of the campus")


async def test_two_shards_and_one_process_give_the_same_campus(site: Path, tmp_path: Path) -> None:
    series = figures_of(site)
    async with standing_still(site):
        one = Running(site, tmp_path / "one")
        async with running(one):
            alone = await complete(one, series)
            assert await one.end() == 0
        head = Running(site, tmp_path / "head", "--shard", "1/2")
        shard = Running(site, tmp_path / "shard", "--shard", "2/2", "--head", head.url)
        async with running(head, shard):
            together = await complete(head, series)
            parts = await head.collectors()
            theirs = await shard.value("campus.power")
            assert [await head.end(), await shard.end()] == [0, 0]
    assert together == alone
    assert alone["campus.power"][0] > 100_000.0
    assert alone["campus.power_ratio.3.power_ratio_instant"][0] > 1.0
    assert parts["shard 2/2"]["state"] == "heard"
    assert parts["shard 2/2"]["readings"] > 100
    assert theirs is None, "a shard shows no totals"


def journalled(ledger: Path) -> set[tuple[int, int]]:
    """(point, time) of every reading that a process had in its journal."""
    readings = set()
    for line in ledger.read_text().splitlines():
        _, first, count, time = map(int, line.split())
        readings |= {(first + place, time) for place in range(count)}
    return readings


async def grown(ledger: Path, lines: int) -> None:
    """Return when so many more samples are journalled."""

    def count() -> int:
        return ledger.read_bytes().count(b"\n") if ledger.exists() else 0

    start = count()
    await until(lambda: count() >= start + lines, f"{lines} samples more in {ledger.name}")


async def delivered(head: Running) -> None:
    """Return when the shard has handed over nearly all that it kept."""

    async def nearly_all() -> bool:
        found = await head.collector("shard 2/2")
        return found["readings"] > 0 and found["state"] == "heard" and found["waiting"] < 250

    await until(nearly_all, "the shard has handed over what it kept")


async def test_nothing_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    site = write_small_site(tmp_path / "site", shape=BRISK)
    catalogue = build_catalogue(load(site).site)
    ledger, port = tmp_path / "ledger", free_port()

    def start_head() -> Running:
        return Running(site, tmp_path / "head", "--shard", "1/2", port=port)

    def start_shard() -> Running:
        address = f"http://127.0.0.1:{port}"
        return Running(site, tmp_path / "shard", "--shard", "2/2", "--head", address, ledger=ledger)

    async with standing_still(site):
        head, shard = start_head(), start_shard()
        async with running(head, shard):
            await grown(ledger, 60)
            await head.end(signal.SIGKILL)
            await grown(ledger, 60)  # meanwhile it collects on

            async def online() -> int:
                found = await shard.get("/api/v1/collection")
                return found["states"]["online"] if found else 0

            await until(online, "the shard collects without its head")
        head, shard = start_head(), start_shard()  # and that one was killed too
        async with running(head, shard):
            await grown(ledger, 60)
            await head.end(signal.SIGTERM)
            await grown(ledger, 60)
            head = start_head()
            async with running(head):
                await delivered(head)
                assert await shard.end() == 0
                assert await head.end() == 0
        names = list(catalogue.series())
        kept = {(names[point], time // 1_000_000) for point, time in journalled(ledger)}
        rows = exported(head.folder / "data")
        if kept - set(rows):  # a stop takes its time and no longer; the rest comes with the next start
            head, shard = start_head(), start_shard()
            async with running(head, shard):
                await delivered(head)
                assert [await shard.end(), await head.end()] == [0, 0]
            rows = exported(head.folder / "data")
    assert len(kept) > 1_000
    assert kept - set(rows) == set()
    assert len(rows) == len(set(rows))
    assert "Traceback" not in head.log + shard.log


async def test_without_the_token_nothing_is_taken(site: Path, tmp_path: Path) -> None:
    async with standing_still(site):
        head = Running(site, tmp_path / "head", "--shard", "1/2")
        shard = Running(site, tmp_path / "shard", "--shard", "2/2", "--head", head.url, token="x" * 30)
        async with running(head, shard):
            await until(head.collectors, "the head answers")
            for path in ("/api/v1/readings", "/api/v1/reports"):
                assert (await head.post(path, b"x", None))[0] == 401
                assert (await head.post(path, b"x", "x" * 30))[0] == 401

            async def told() -> str:
                ready = await shard.get("/api/v1/collection")
                return shard.log if ready and "401" in shard.log else ""

            assert "the same token" in await until(told, "the shard says what is wrong")
            found = await head.collector("shard 2/2")
            assert (found["state"], found["readings"], found["heard"]) == ("expected", 0, None)
            assert "x" * 30 not in shard.log + head.log


async def test_a_shard_of_another_site_is_refused_and_shown(site: Path, tmp_path: Path) -> None:
    other = write_small_site(tmp_path / "other", shape=replace(CALM, racks=4))
    async with standing_still(other):
        head = Running(site, tmp_path / "head", "--shards", "2")
        wrong = Running(other, tmp_path / "wrong", "--shard", "1/2", "--head", head.url)
        third = Running(site, tmp_path / "third", "--shard", "2/3", "--head", head.url)
        async with running(head, wrong, third):

            async def refused() -> str:
                return (await head.collector("shard 1/2"))["error"]

            error = await until(refused, "the head shows what it refuses")
            assert error == (
                "shard 1/2 runs another site, or another state of this one; "
                "give both the same site, and have the head load it first"
            )
            assert (await head.collector("shard 1/2"))["readings"] == 0
            await until(lambda: "another site" in wrong.log, "the shard says so too")
            await until(
                lambda: "this head has 2 shards, the sender counts 3" in third.log, "the third says so"
            )


@pytest.mark.parametrize(
    ("options", "token", "told"),
    [
        (["--shards", "2"], None, "DCOPS_SHARD_TOKEN"),
        (["--shard", "1/2"], None, "DCOPS_SHARD_TOKEN"),
        (["--shards", "2"], "short", "16 printable characters"),
    ],
    ids=["head without a token", "shard without a token", "head with a short token"],
)
async def test_without_a_good_token_nothing_starts(
    site: Path, tmp_path: Path, options: list[str], token: str | None, told: str
) -> None:
    process = Running(site, tmp_path, *options, token=token)
    async with running(process):
        assert await asyncio.to_thread(process.process.wait, 120) == 1
        assert told in process.log
