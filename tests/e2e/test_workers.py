"""Workers of one process: they collect for it, are started again when they die, and end with it."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from dcops.site_file import load
from tests.e2e.crews import Running, running, standing_still
from tests.e2e.hall import until, write_small_site
from tests.e2e.test_shards import CALM, complete, figures_of


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_small_site(tmp_path / "site", shape=CALM)


def workers_of(process: Running) -> dict[str, psutil.Process]:
    """By their share."""
    found = {}
    for child in psutil.Process(process.process.pid).children():
        share = [word.removeprefix("--share=") for word in child.cmdline() if word.startswith("--share=")]
        if share:
            found[share[0]] = child
    return found


async def heard(process: Running, name: str) -> bool:
    return (await process.collector(name))["state"] == "heard"


async def test_workers_collect_all_that_is_polled_and_are_seen_as_one(site: Path, tmp_path: Path) -> None:
    series = figures_of(site)
    plan = load(site).plan
    async with standing_still(site):
        one = Running(site, tmp_path / "one", token=None)
        async with running(one):
            alone = await complete(one, series)
            await one.end()
        process = Running(site, tmp_path / "many", "--workers", "2", token=None)
        async with running(process):
            assert await complete(process, series) == alone
            await process.reads_everything()
            found = await process.get("/api/v1/collection")
            assert {each["endpoint"] for each in found["endpoints"]} == {
                *(each.id for each in plan.endpoints),
                *(each.id for each in plan.brokers),
            }
            devices = [binding.device for binding in (*plan.modbus, *plan.mqtt)]
            assert sorted(each["device"] for each in found["devices"]) == sorted(devices)
            assert [each["name"] for each in found["collectors"]] == ["worker 1/2", "worker 2/2"]
            for name in ("worker 1/2", "worker 2/2"):
                await until(lambda: heard(process, name), f"{name} is heard")  # noqa: B023 - waited for here
            assert found["totals"]["polls_done"] >= len(plan.modbus)
            endpoint = plan.endpoints[0].id
            path = f"/api/v1/collection/endpoints/{endpoint}"

            async def costs() -> int:
                return (await process.get(path) or {"total": 0})["total"]

            behind = sum(binding.endpoint == endpoint for binding in plan.modbus)
            assert await until(costs, "what reading takes is told") == behind
            processes = list(workers_of(process).values())
            assert await process.end(signal.SIGTERM) == 0
            assert not any(each.is_running() for each in processes)
    assert "Traceback" not in process.log


async def test_signals_to_all_processes_leave_workers_to_their_parent(site: Path, tmp_path: Path) -> None:
    process = Running(site, tmp_path / "many", "--workers", "2", token=None)
    async with running(process):
        for name in ("worker 1/2", "worker 2/2"):
            await until(lambda: heard(process, name), f"{name} is heard")  # noqa: B023 - waited for here
        for worker in workers_of(process).values():
            worker.send_signal(signal.SIGHUP)
            worker.send_signal(signal.SIGINT)
        heard_at = (await process.collector("worker 1/2"))["heard"]

        async def heard_again() -> bool:
            return (await process.collector("worker 1/2"))["heard"] != heard_at

        await until(heard_again, "it is heard again")
        assert (await process.collector("worker 1/2"))["restarts"] == 0
        assert await process.end(signal.SIGTERM) == 0
    assert "started again" not in process.log


async def test_a_worker_that_is_killed_is_started_again(site: Path, tmp_path: Path) -> None:
    async with standing_still(site):
        process = Running(site, tmp_path / "many", "--workers", "2", token=None)
        async with running(process):
            await process.reads_everything()
            killed = workers_of(process)["1/2"]
            killed.kill()

            async def again() -> bool:
                found = await process.collector("worker 1/2")
                return found["restarts"] == 1 and found["state"] == "heard" and found["error"] == ""

            await until(again, "the worker is back")
            assert workers_of(process)["1/2"].pid != killed.pid
            assert (await process.collector("worker 2/2"))["restarts"] == 0
            assert "worker 1/2 ended with -9; it is started again in 1 s" in process.log
            left = list(workers_of(process).values())
            await process.end(signal.SIGKILL)
            gone = await asyncio.to_thread(psutil.wait_procs, left, 120)
            assert len(gone[0]) == 2, "they end with the one they collect for"
