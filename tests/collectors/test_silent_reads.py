"""A device that keeps silent on one of its reads and answers the others, driven by hand and on the wire."""

import asyncio
import logging
from dataclasses import replace

import pytest

from collectors.config import ModbusProtocol
from collectors.health import DeviceState
from collectors.lessons import Lessons
from collectors.modbus.rtu import checksum
from collectors.modbus.silence import Silences
from tests.collectors.conftest import Request, answer_well, binding, raw_server, small_profile, until
from tests.collectors.driving import SECOND, START, Drive, Registers, profile_of
from tests.collectors.links import READ
from tests.collectors.rig import at, collecting, collecting_from
from tests.streams import stream_server

THREE = {0: 10, 100: 20, 200: 30}


def drive(silent: set[int], **changes: object) -> tuple[Drive, Registers]:
    device = Registers(THREE)
    device.silent = silent
    return Drive(profile_of(words=[0, 100, 200], **changes)), device


@pytest.mark.parametrize(
    ("silent", "before", "after", "quality"),
    [
        (0, [(0, 1)], [(100, 1), (200, 1)], [24, 192, 192]),
        (100, [(0, 1), (100, 1)], [(0, 1), (200, 1)], [192, 24, 192]),
        (200, [(0, 1), (100, 1), (200, 1)], [(0, 1), (100, 1)], [192, 192, 24]),
    ],
)
def test_a_read_that_keeps_silent_costs_no_other_value_and_is_asked_for_seldom(
    silent: int, before: list[tuple[int, int]], after: list[tuple[int, int]], quality: list[int]
) -> None:
    it, device = drive({silent})
    assert it.scan(device) == before
    assert it.quality == [24, 24, 24]
    assert it.scan(device) == [*after, (silent, 1)]  # last, for it may be the device that was silent
    assert it.quality == quality
    for _ in range(9):
        assert it.scan(device) == after
        assert it.quality == quality
    assert it.scan(device) == [*after, (silent, 1)]  # ten seconds later
    for _ in range(19):
        assert it.scan(device) == after
    assert it.scan(device) == [*after, (silent, 1)]  # twenty seconds later
    assert it.quality == quality
    assert (it.reader.polls_done, it.reader.polls_failed) == (31, 1)


def test_a_silent_read_is_asked_for_once_an_hour_in_the_end() -> None:
    it, device = drive({100})
    for _ in range(2):
        it.scan(device)
    pauses = []
    for _ in range(12):
        found = it.clock.time
        while (100, 1) not in it.scan(device):
            it.clock.time += 9 * SECOND
        pauses.append((it.clock.time - found) // SECOND)
    # Scans are ten seconds apart here: it is asked for with the first one after its pause.
    assert pauses == [11, 21, 41, 81, 161, 321, 641, 1281, 2561, 3601, 3601, 3601]


def test_after_its_device_was_away_a_silent_read_is_asked_for_at_once_and_soon_again() -> None:
    silences = Silences("device-1")
    silences.suspect(READ)
    for _ in range(9):
        silences.prove(READ, START)
    assert not silences.is_due(READ, START + 2559 * SECOND)
    silences.hurry()
    assert silences.is_due(READ, START)
    silences.prove(READ, START)
    assert [silences.is_due(READ, START + second * SECOND) for second in (19, 20)] == [False, True]


def test_a_silent_read_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collectors")
    it, device = drive({100})
    for _ in range(40):
        it.scan(device)
    health = it.reader.health()
    assert (health.state, health.silent) == (DeviceState.SUSPECT, 1)
    assert health.last_error == "no reply in time reading holding 100+1, while other reads are answered"
    device.silent = set()
    it.clock.time += 60 * SECOND
    it.scan(device)
    assert it.last == [10.0, 20.0, 30.0]
    health = it.reader.health()
    assert health.silent == 0
    assert [record.getMessage() for record in caplog.records] == [
        (
            "device device-1 does not answer holding 100+1, though it answers others:"
            " the points read there have no value"
        ),
        "device device-1 answers holding 100+1 again",
    ]
    it.scan(device)
    assert device.asked == [(0, 1), (100, 1), (200, 1)]


def test_a_reply_that_is_lost_once_is_asked_for_last_in_the_next_scan_and_then_in_its_place() -> None:
    it, device = drive({100})
    it.scan(device)
    device.silent = set()
    assert it.scan(device) == [(0, 1), (200, 1), (100, 1)]
    assert (it.last, it.quality) == ([10.0, 20.0, 30.0], [192, 192, 192])
    assert it.scan(device) == [(0, 1), (100, 1), (200, 1)]
    assert it.reader.health().silent == 0


def test_a_device_that_is_silent_altogether_is_asked_one_read_a_scan_and_all_when_it_is_back() -> None:
    it, device = drive({0, 100, 200})
    assert [it.scan(device) for _ in range(4)] == [[(0, 1)], [(100, 1)], [(200, 1)], [(0, 1)]]
    assert it.reader.polls_failed == 4
    device.silent = set()
    assert it.scan(device) == [(100, 1), (200, 1), (0, 1)]
    assert (it.last, it.quality) == ([10.0, 20.0, 30.0], [192, 192, 192])


def test_of_two_silent_reads_one_a_scan_is_waited_for() -> None:
    it, device = drive({0, 100})
    assert [it.scan(device) for _ in range(4)] == [
        [(0, 1)],
        [(100, 1)],
        [(200, 1), (0, 1)],
        [(200, 1), (100, 1)],
    ]
    assert it.quality == [24, 24, 192]
    assert it.reader.health().silent == 2


def test_a_silent_unit_is_probed_with_what_may_be_answered() -> None:
    it, device = drive({0})
    assert it.reader.probe.text == "holding 0+1"
    it.scan(device)
    assert it.reader.probe.text == "holding 100+1"


def test_a_silent_read_that_is_refused_in_the_end_is_learned_as_refused() -> None:
    it, device = drive({100})
    it.scan(device)
    it.scan(device)
    device.silent = set()
    del device.words[100]
    it.clock.time += 10 * SECOND
    assert it.scan(device) == [(0, 1), (200, 1), (100, 1)]
    assert it.quality == [192, 8, 192]
    it.scan(device)
    assert it.scan(device) == [(0, 1), (200, 1)]
    assert it.reader.health().refused == 1


def test_where_only_silent_reads_are_due_something_else_is_asked_too() -> None:
    it, device = drive({0}, every={100: 10, 200: 10})
    it.scan(device)
    it.scan(device)
    assert [it.scan(device) for _ in range(3)] == 3 * [[(100, 1), (200, 1)]]
    assert it.reader.polls_failed == 1


def test_a_device_of_one_read_that_is_silent_is_a_silent_device() -> None:
    device = Registers({0: 10})
    device.silent = {0}
    it = Drive(profile_of(words=[0]))
    assert [it.scan(device) for _ in range(3)] == 3 * [[(0, 1)]]
    assert it.reader.polls_failed == 3
    assert it.reader.health().silent == 0


class Noted(Lessons):
    """Lessons that count their changes."""

    changes = 0

    def changed(self) -> None:
        self.changes += 1


def test_refusals_that_are_dropped_since_the_device_answers_again_are_saved() -> None:
    lessons = Noted()
    it = Drive(profile_of(words=[0, 100]), lessons)
    device = Registers({})
    it.scan(device)
    device.words = {0: 10, 100: 20}
    it.scan(device)  # it is asked for one value, and answers
    device.words = {}
    it.scan(device)
    assert (it.reader.health().refused, lessons.changes) == (2, 1)
    device.words = {0: 10, 100: 20}
    it.scan(device)
    assert (it.reader.health().refused, lessons.changes) == (0, 2)


async def silent_on_10(request: Request, writer: asyncio.StreamWriter) -> None:
    if request[3] != 10:
        await answer_well(request, writer)


async def test_a_unit_that_keeps_silent_on_one_block_gives_the_others_beside_its_neighbours() -> None:
    devices = [
        binding(1, period=0.1, profile=small_profile(0, 10, 20)),
        binding(2, first=3, period=0.1, profile=small_profile(0, 1)),
    ]
    async with raw_server(silent_on_10) as server, collecting(server.port, devices, wait=0.2) as rig:
        await until(lambda: rig.device(1).polls_done >= 10)
        assert rig.samples.of(0)[0].quality.tolist() == [24, 24, 24]
        assert [each.quality.tolist() for each in rig.samples.of(0)[1:4]] == 3 * [[192, 24, 192]]
        device = rig.device(1)
        assert (device.state, device.silent, device.polls_failed) == (DeviceState.SUSPECT, 1, 1)
        assert [request[3] for request in server.requests].count(10) == 2
        assert rig.device(2).polls_failed == 0
        assert server.connections == 1


async def test_over_rtu_a_block_that_keeps_silent_is_no_more_than_itself() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with_data = bytes.fromhex("010302002A")
        try:
            while True:
                asked = await reader.readexactly(8)
                if asked[2:4] != bytes.fromhex("000A"):
                    writer.write(with_data + checksum(with_data))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    device = binding(1, period=0.3, profile=small_profile(0, 10, 20))
    async with stream_server(serve) as port:
        line = replace(at(port, timeout=0.1), protocol=ModbusProtocol.RTU_TCP)
        async with collecting_from(line, device) as rig:
            await until(lambda: rig.device(1).polls_done >= 4)
            assert rig.samples[-1].quality.tolist() == [192, 24, 192]
            assert rig.samples[-1].values.tolist()[::2] == [42.0, 42.0]
            assert rig.device(1).silent == 1
            assert connections == 3  # opened anew each time, for a late reply could not be told from another
