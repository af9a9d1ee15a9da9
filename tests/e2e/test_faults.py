"""The world is wrong at the start: the program starts, says so once, and recovers by itself."""

import asyncio
import logging
import socket

import pytest

from tests.e2e.hall import SMALL, running_hall, until
from tests.servers.processes import free_port, victoria_metrics


def said(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if words in record.getMessage()]


async def test_nothing_in_the_field_answers_and_then_it_does(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running_hall(tmp_path, simulate=False) as hall:
        await until(lambda: said(caplog, "endpoint b1-utility-a"), "the lost endpoint in the log")
        ready = await hall.session.get(f"{hall.url}/readyz")
        assert ready.status == 503
        alive = await hall.session.get(f"{hall.url}/healthz")
        assert alive.status == 200
        simulation = asyncio.create_task(hall.simulation.run())
        try:
            await until(lambda: hall.value("campus.power") > 0, "campus power")
            await until(lambda: hall.code("campus.inlet_temperature") >= 192, "MQTT readings")
            await until(lambda: len(said(caplog, "endpoint b1-utility-a")) > 1, "the endpoint is back")
            lost, back = said(caplog, "endpoint b1-utility-a")[:2]
            assert " is down: " in lost
            assert " is back" in back
        finally:
            hall.simulation.stop()
            await simulation


async def test_a_dead_store_is_said_once_and_catches_up_when_it_is_back(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    port = free_port()
    store = f"""
stores:
  - kind: influxdb
    url: http://127.0.0.1:{port}
    org: dcops
    bucket: dcops
    token_env: DCOPS_INFLUXDB_TOKEN
"""
    async with running_hall(tmp_path, extra=store) as hall:
        delivery = hall.platform.deliveries[1]
        await until(lambda: not delivery.stats.available, "loss of the store")
        assert (await hall.session.get(f"{hall.url}/readyz")).status == 503
        await until(lambda: hall.platform.deliveries[0].stats.written > 2000, "the embedded history goes on")
        with victoria_metrics(tmp_path / "vm", port=port):
            await until(lambda: delivery.stats.available and delivery.stats.written > 2000, "delivery")
            await until(lambda: delivery.backlog.points < 2000, "an empty backlog")
        # What is said later is another loss: of a store that is stopped, or too slow for its deadline.
        told = [words.split(";")[0] for words in said(caplog, "store influxdb is ")]
        assert told[: told.index("store influxdb is back") + 1].count("store influxdb is lost") == 1


async def test_a_refused_port_is_said_once_and_taken_when_it_is_free(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        waiting = asyncio.create_task(hall_on(tmp_path, port))
        await until(lambda: said(caplog, f"can't listen on 127.0.0.1:{port}"), "the taken port in the log")
        taken.close()
    assert await asyncio.wait_for(waiting, 120) > 0
    assert len(said(caplog, f"can't listen on 127.0.0.1:{port}")) == 1


async def hall_on(folder, port: int) -> int:
    async with running_hall(folder, port=port) as hall:
        node = await hall.get("/api/v1/nodes")
        return len(node)


async def test_a_data_folder_that_cannot_be_written_is_said_once_and_used_when_it_can(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")
    async with running_hall(tmp_path, shape=SMALL) as hall:
        await until(lambda: not hall.platform.spool.stats.available, "loss of the journal")
        await until(lambda: hall.value("campus.power") > 0, "live values all the same")
        await until(lambda: hall.platform.spool.stats.waiting_points > 1000, "readings waiting in memory")
        (tmp_path / "data").unlink()
        await until(lambda: hall.platform.spool.stats.available, "the journal")
        await until(lambda: hall.platform.deliveries[0].stats.written > 1000, "the history")
        assert hall.platform.spool.stats.dropped == 0
    assert len(said(caplog, "readings wait in memory")) == 1
