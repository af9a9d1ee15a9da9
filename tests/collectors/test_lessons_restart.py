"""Lessons over a restart, with a real server whose requests are counted one by one."""

import asyncio
from pathlib import Path

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint
from dcops.lessons_file import open_lessons
from tests.collectors.conftest import (
    RawServer,
    Request,
    Samples,
    WallClock,
    binding,
    exception_frame,
    good_frame,
    raw_server,
    running,
    seeded,
    small_profile,
    until,
)

SIXTY = small_profile(*range(60))


async def without_register_41(request: Request, writer: asyncio.StreamWriter) -> None:
    _, _, _, address, count = request
    refused = address <= 41 < address + count
    writer.write(exception_frame(request, 2) if refused else good_frame(request, 7))


def collection(server: RawServer, folder: Path, samples: Samples) -> Collection:
    plan = CollectionPlan(
        endpoints=(ModbusEndpoint(id="gw", host="127.0.0.1", port=server.port),),
        modbus=(binding(1, profile=SIXTY),),
    )
    return Collection(plan, WallClock(), samples.append, random=seeded(), lessons=open_lessons(folder))


async def test_one_illegal_register_among_sixty_is_learned_once(tmp_path: Path) -> None:
    samples = Samples()
    async with raw_server(without_register_41) as server:
        async with running(collection(server, tmp_path, samples).run()):
            await until(lambda: len(samples) >= 1)
            learning = len(server.requests)
            await until(lambda: len(server.requests) >= learning + 6)
        assert server.requests[0][3:] == (0, 60)
        after = [request[3:] for request in server.requests[learning : learning + 6]]
        assert after == [(0, 41), (42, 18)] * 3
        for sample in samples:
            assert sample.quality.tolist() == [192] * 41 + [8] + [192] * 18
            assert sample.values.tolist()[:41] == [7.0] * 41
            assert sample.values.tolist()[42:] == [7.0] * 18

        server.requests.clear()
        samples.clear()
        async with running(collection(server, tmp_path, samples).run()):
            await until(lambda: len(server.requests) >= 4)
        assert [request[3:] for request in server.requests[:4]] == [(0, 41), (42, 18)] * 2
        assert samples[0].quality.tolist() == [192] * 41 + [8] + [192] * 18


async def test_what_is_forgotten_is_asked_for_again(tmp_path: Path) -> None:
    samples = Samples()
    async with raw_server(without_register_41) as server:
        collecting = collection(server, tmp_path, samples)
        async with running(collecting.run()):
            await until(lambda: len(samples) >= 2)
            assert collecting.devices()[0].refused == 1
            assert collecting.forget("device-1") == 1
            server.requests.clear()
            await until(lambda: (0, 60) in [request[3:] for request in server.requests])
            await until(lambda: collecting.devices()[0].refused == 1)
