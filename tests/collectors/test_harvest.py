"""Scans that are decoded together: each value as if it had come alone, and in the order it came."""

import asyncio
import math
from collections.abc import Callable, Sequence

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint
from collectors.decode import Decoder, Payload
from collectors.harvest import Harvest, hold_of
from collectors.planning import plan_blocks
from collectors.profiles import DataType, ModbusProfile, Order, Register, Table
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality
from facility.sample import Sample, Scans
from tests.collectors.conftest import Samples, WallClock, binding, until
from tests.collectors.driving import Drive, profile_of

NOON = 1_767_268_800_000_000_000


class Sound:
    """A device whose scans can be taken apart."""

    def spoil(self, error: Exception, time: int) -> None:
        raise AssertionError((error, time))


def decoder_of(*registers: Register, types: tuple[str, ...] = ()) -> Decoder:
    keys = types or ("generic",) * len(registers)
    profile = ModbusProfile(
        name="test",
        kind=DeviceKind.BOARD_METER,
        points=tuple(PointSpec(f"p{at}", POINT_TYPES[key]) for at, key in enumerate(keys)),
        sources=registers,
    )
    return Decoder(profile, plan_blocks(profile))


def floats(*, order: Order = Order.ABCD, scale: float = 1.0) -> Decoder:
    return decoder_of(
        Register(table=Table.HOLDING, address=0, data=DataType.F32, order=order, scale=scale),
        Register(table=Table.HOLDING, address=2, data=DataType.F32, order=order, scale=scale),
    )


def held(harvest: Harvest, decoder: Decoder, *rows: tuple[int, int, str]) -> None:
    for first, time, data in rows:
        harvest.add(decoder, first, time, (bytes.fromhex(data),), Sound())


def test_what_is_decoded_alike_is_handed_on_together() -> None:
    together: list[Scans] = []
    harvest = Harvest(Samples().append, together.append, soon=lambda _: None)
    held(harvest, floats(), (10, NOON, "4366800042700000"), (40, NOON + 7, "C14400003F800000"))
    assert together == []
    harvest.flush()
    assert [(list(each.firsts), list(each.times)) for each in together] == [([10, 40], [NOON, NOON + 7])]
    assert together[0].values.tolist() == [[230.5, 60.0], [-12.25, 1.0]]
    assert together[0].quality is None
    harvest.flush()
    assert len(together) == 1


def test_other_orders_and_scales_are_the_same_together_as_alone() -> None:
    samples = Samples()
    harvest = Harvest(samples.append, soon=lambda _: None)
    held(harvest, floats(order=Order.CDAB, scale=1000.0), (0, NOON, "0000436600003F80"))
    held(harvest, floats(), (2, NOON, "4366000040000000"))
    harvest.flush()
    assert [(each.first, each.values.tolist()) for each in samples] == [
        (0, [230_000.0, 1000.0]),
        (2, [230.0, 2.0]),
    ]
    assert [each.quality.tolist() for each in samples] == [[192, 192], [192, 192]]


def test_types_that_differ_and_sentinels_are_the_same_together_as_alone() -> None:
    decoder = decoder_of(
        Register(table=Table.HOLDING, address=0, data=DataType.S16, invalid=(0x8000,)),
        Register(table=Table.HOLDING, address=1, data=DataType.U32),
    )
    samples = Samples()
    harvest = Harvest(samples.append, soon=lambda _: None)
    held(harvest, decoder, (0, NOON, "FFFE00010000"), (2, NOON, "800000000007"))
    harvest.flush()
    assert samples[0].values.tolist() == [-2.0, 65536.0]
    assert math.isnan(samples[1].values[0])
    assert samples[1].values[1] == 7.0
    assert [each.quality.tolist() for each in samples] == [[192, 192], [16, 192]]


def test_one_that_is_no_number_spoils_no_other() -> None:
    together: list[Scans] = []
    harvest = Harvest(Samples().append, together.append, soon=lambda _: None)
    # a NaN that signals, infinity, and a good pair
    held(harvest, floats(), (0, NOON, "7F8000013F800000"), (2, NOON, "7F80000040000000"))
    held(harvest, floats(), (4, NOON, "3F80000040000000"))
    harvest.flush()
    assert [each.quality is None for each in together] == [False, True]
    assert together[0].codes.tolist() == [[16, 192], [16, 192]]
    assert together[0].values[:, 1].tolist() == [1.0, 2.0]
    assert together[1].codes.tolist() == [[192, 192]]


def test_a_read_that_is_refused_in_all_scans_leaves_the_others_good() -> None:
    decoder = decoder_of(
        Register(table=Table.HOLDING, address=0, data=DataType.U16),
        Register(table=Table.INPUT, address=0, data=DataType.U16),
    )
    samples = Samples()
    harvest = Harvest(samples.append, soon=lambda _: None)
    for first in (0, 2):
        harvest.add(decoder, first, NOON, (bytes.fromhex("0007"), Quality.NOT_CONNECTED), Sound())
    harvest.flush()
    assert [each.values[0] for each in samples] == [7.0, 7.0]
    assert [each.quality.tolist() for each in samples] == [[192, 8], [192, 8]]


def test_what_comes_alone_is_handed_on_behind_what_came_before() -> None:
    samples = Samples()
    harvest = Harvest(samples.append, soon=lambda _: None)
    held(harvest, floats(), (0, NOON, "4366800042700000"))
    values, quality = floats().decode([Quality.COMM_FAILURE])
    harvest.emit(Sample(0, NOON + 1, values, quality))
    assert [each.time for each in samples] == [NOON, NOON + 1]
    assert samples[1].quality.tolist() == [24, 24]


async def test_a_moment_later_it_is_handed_on_and_so_is_what_comes_then() -> None:
    samples = Samples()
    harvest = Harvest(samples.append)
    held(harvest, floats(), (0, NOON, "4366800042700000"), (2, NOON, "4366800042700000"))
    assert samples == []
    await until(lambda: len(samples) == 2)
    assert [each.first for each in samples] == [0, 2]
    held(harvest, floats(), (4, NOON + 1, "4366800042700000"))
    await until(lambda: len(samples) == 3)
    assert samples[2].first == 4


@pytest.mark.parametrize(
    ("periods", "seconds"),
    [((10.0, 60.0), 0.05), ((10.0, 1.0), 0.02), ((0.25,), 0.005), ((), 0.05)],
)
def test_a_scan_waits_a_fiftieth_of_the_shortest_period_at_most(
    periods: tuple[float, ...], seconds: float
) -> None:
    assert hold_of(periods) == pytest.approx(seconds)


async def test_a_scan_waits_as_long_as_is_said_of_the_periods_that_are_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples, waits = Samples(), list[float]()
    collection = Collection(
        CollectionPlan(
            endpoints=(ModbusEndpoint(id="gw", host="127.0.0.1", port=502),),
            modbus=(binding(1, period=10.0), binding(2, period=0.5)),
        ),
        WallClock(),
        samples.append,
    )
    loop = asyncio.get_running_loop()
    harvest = collection._harvest
    monkeypatch.setattr(harvest, "_more", lambda: True)
    monkeypatch.setattr(loop, "call_later", lambda seconds, call: waits.append(seconds))
    held(harvest, floats(), (0, NOON, "4366800042700000"))
    assert (samples, waits) == ([], [pytest.approx(0.01)])


def test_it_asks_to_be_called_back_once_however_often_it_handed_on_meanwhile() -> None:
    called: list[Callable[[], None]] = []
    samples = Samples()
    harvest = Harvest(samples.append, soon=called.append)
    for time in range(3):
        held(harvest, floats(), (0, NOON + time, "4366800042700000"))
        harvest.flush()
    assert len(called) == 1
    held(harvest, floats(), (0, NOON + 3, "4366800042700000"))
    called[0]()
    assert len(samples) == 4
    held(harvest, floats(), (0, NOON + 4, "4366800042700000"))
    assert len(called) == 2


class Wait:
    """A call in a moment, which may be taken back."""

    def __init__(self) -> None:
        self.asked = self.cancelled = 0

    def soon(self, call: Callable[[], None]) -> "Wait":
        del call
        self.asked += 1
        return self

    def cancel(self) -> None:
        self.cancelled += 1


def test_with_the_last_read_under_way_all_is_handed_on_and_nothing_is_waited_for() -> None:
    under_way = 2
    wait, samples = Wait(), Samples()
    harvest = Harvest(samples.append, soon=wait.soon, more=lambda: under_way > 0)
    held(harvest, floats(), (0, NOON, "4366800042700000"))
    assert (samples, wait.asked) == ([], 1)
    under_way = 0
    held(harvest, floats(), (2, NOON + 1, "4366800042700000"))
    assert [each.first for each in samples] == [0, 2]
    assert (wait.asked, wait.cancelled) == (1, 1)
    held(harvest, floats(), (4, NOON + 2, "4366800042700000"))
    assert [each.first for each in samples] == [0, 2, 4]
    assert (wait.asked, wait.cancelled) == (1, 1)
    under_way = 1
    held(harvest, floats(), (6, NOON + 3, "4366800042700000"))
    assert (len(samples), wait.asked) == (3, 2)


def test_so_many_scans_wait_and_no_more() -> None:
    samples = Samples()
    harvest = Harvest(samples.append, soon=lambda _: None)
    decoder = floats()
    for time in range(999):
        held(harvest, decoder, (0, NOON + time, "4366800042700000"))
    assert samples == []
    held(harvest, decoder, (0, NOON + 999, "4366800042700000"))
    assert [each.time - NOON for each in samples] == list(range(1000))


def test_a_fault_of_our_own_in_decoding_one_device_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = Decoder.decode_all
    guilty = b"\0\x0d"

    def broken(decoder: Decoder, scans: Sequence[Sequence[Payload]]) -> object:
        if any(guilty in scan for scan in scans):
            raise ZeroDivisionError("a fault")
        return sound(decoder, scans)

    monkeypatch.setattr(Decoder, "decode_all", broken)
    it = Drive(profile_of(words=[0]))
    neighbour = it.beside(first=1)
    for value in (13, 7):
        for reader, word in ((it.reader, value), (neighbour, 5)):
            reader.begin()
            reader.take(word.to_bytes(2), 0.01)
            reader.complete(NOON)
        it.harvest.flush()
    assert [(each.first, each.quality.tolist()) for each in it.samples] == [
        (0, [0]),
        (1, [192]),
        (0, [192]),
        (1, [192]),
    ]
    assert [each.values.tolist() for each in it.samples[1:]] == [[5.0], [7.0], [5.0]]
    assert (it.reader.polls_done, it.reader.polls_failed) == (1, 1)
    assert (neighbour.polls_done, neighbour.polls_failed) == (2, 0)
    assert it.reader.last_error == "ZeroDivisionError while its values were taken over: a fault"
    assert [record.getMessage() for record in caplog.records] == [
        "device device-1: ZeroDivisionError while its values were taken over: a fault"
    ]


class Marred:
    """A device that is told that its scans are of no use."""

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self.told: list[tuple[str, int]] = []
        self._tell = tell

    def spoil(self, error: Exception, time: int) -> None:
        self.told.append((str(error), time))
        self._tell()


def test_what_cannot_be_taken_over_keeps_nothing_of_other_kinds_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together: list[Scans] = []

    def take(scans: Scans) -> None:
        if scans.firsts[0] == 0:
            raise ValueError("it has no place")
        together.append(scans)

    def refuse() -> None:
        raise OSError("nobody listens")

    harvest = Harvest(Samples().append, take, soon=lambda _: None)
    broken, deaf = Marred(), Marred(refuse)
    data = (bytes.fromhex("4366800042700000"),)
    decoder = floats()
    for first, device in ((0, deaf), (2, broken)):
        harvest.add(decoder, first, NOON + first, data, device)
    held(harvest, floats(order=Order.CDAB), (10, NOON, "0000436600003F80"))
    harvest.flush()
    assert [list(each.firsts) for each in together] == [[10]]
    assert deaf.told == [("it has no place", NOON)]
    assert broken.told == [("it has no place", NOON + 2)]
    assert "nobody listens" in caplog.text


def test_what_cannot_be_taken_over_alone_keeps_nothing_else_back() -> None:
    samples = Samples()

    def take(sample: Sample) -> None:
        if sample.first == 2:
            raise ValueError("it has no place")
        samples.append(sample)

    harvest = Harvest(take, soon=lambda _: None)
    broken, torn, decoder = Marred(), Marred(), floats()
    sound = bytes.fromhex("4366800042700000")
    for first, device, data in ((0, torn, sound[:3]), (2, broken, sound), (4, Sound(), sound)):
        harvest.add(decoder, first, NOON, (data,), device)
    harvest.flush()
    assert [each.first for each in samples] == [4]
    assert broken.told == [("it has no place", NOON)]
    assert len(torn.told) == 1
