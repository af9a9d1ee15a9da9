"""Driving a device reader by hand, request by request, against registers that are literal numbers."""

import struct
from collections.abc import Iterable, Mapping

from collectors.harvest import Harvest
from collectors.lessons import Lessons
from collectors.modbus import Answer, Fault, FaultKind
from collectors.modbus.device import DeviceReader
from collectors.modbus.frames import IDENTIFY, Request
from collectors.modbus.layout import group_plans
from collectors.modbus.unit import Patience, Unit
from collectors.profiles import DataType, Manners, ModbusProfile, Register, Table
from collectors.schedule import Grid
from facility.devices import DeviceKind, PointSpec
from facility.durations import Durations
from facility.point_types import POINT_TYPES
from tests.collectors.conftest import HandClock, Samples, binding, seeded

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_767_225_600 * SECOND
SILENCE = None
"""No reply at all."""


def text_words(text: str, length: int) -> list[int]:
    """A text as registers, two characters each, filled up with NUL."""
    data = text.encode().ljust(2 * length, b"\0")
    return list(struct.unpack(f">{length}H", data))


class Registers:
    """A device: what its holding registers hold; whatever touches any other is refused."""

    def __init__(self, words: Mapping[int, int], *, code: int = 2) -> None:
        self.words = dict(words)
        self.code = code
        self.codes: dict[int, int] = {}
        """Exceptions of single registers, whether they hold something or not."""
        self.silent: set[int] = set()
        """Registers that are never answered."""
        self.most = 125
        self.identification: bytes | Fault | None = Fault(FaultKind.EXCEPTION, 1)
        self.asked: list[tuple[int, int]] = []

    def answer(self, request: Request) -> Answer | None:
        if request.function == IDENTIFY:
            return self.identification
        address, count = struct.unpack(">HH", request.tail[-4:])
        self.asked.append((address, count))
        places = range(address, address + count)
        if not self.silent.isdisjoint(places):
            return SILENCE
        for place in places:
            if place in self.codes:
                return Fault(FaultKind.EXCEPTION, self.codes[place])
        if count > self.most:
            return Fault(FaultKind.EXCEPTION, 3)
        if any(place not in self.words for place in places):
            return Fault(FaultKind.EXCEPTION, self.code)
        return b"".join(struct.pack(">H", self.words[place]) for place in places)


class Drive:
    """A reader and its clock."""

    def __init__(
        self, profile: ModbusProfile, lessons: Lessons | None = None, *, period: float = 0.05
    ) -> None:
        self._period = period
        self.clock = HandClock(START)
        self.samples = Samples()
        self.lessons = lessons or Lessons()
        self.harvest = Harvest(self.samples.append, soon=lambda _: None)
        self.lateness = Durations()
        self._profile = profile
        self._plans = group_plans(profile)
        self.reader = self.beside(unit=1)

    def beside(self, unit: int = 2, first: int = 0, manners: Manners | None = None) -> DeviceReader:
        """The reader of one more device of this kind."""
        bound = binding(unit, first=first, period=self._period, profile=self._profile)
        return DeviceReader(
            bound if manners is None else bound._replace(manners=manners),
            self._plans,
            Unit(unit, 1.0, Patience(), seeded()),
            clock=self.clock,
            grid=Grid(),
            harvest=self.harvest,
            lessons=self.lessons,
            lateness=self.lateness,
            random=seeded(),
        )

    def scan(self, device: Registers, *, seconds: float = 0.01) -> list[tuple[int, int]]:
        """One scan, a second after the one before; returns address and count of each read of it."""
        self.clock.time += SECOND
        device.asked.clear()
        self.reader.begin()
        while (request := self.reader.next_request()) is not None:
            assert self.reader.next_request() is request or self.reader.next_request() == request
            answer = device.answer(request)
            if answer is SILENCE:
                if not self.reader.puts_up_with(Fault(FaultKind.TIMEOUT), seconds):
                    self.reader.fail("no reply in time")
                    break
            elif isinstance(answer, Fault):
                self.reader.refuse(answer, seconds)
            else:
                self.reader.take(answer, seconds)
        else:
            self.reader.complete(self.clock.now())
        self.harvest.flush()
        return list(device.asked)

    @property
    def last(self) -> list[float]:
        return self.samples[-1].values.tolist()

    @property
    def quality(self) -> list[int]:
        return self.samples[-1].quality.tolist()


def profile_of(
    registers: Iterable[tuple[int, DataType]] = (),
    *,
    words: Iterable[int] = (),
    every: Mapping[int, int] | None = None,
    **changes: object,
) -> ModbusProfile:
    """A profile of values at addresses; ``every`` gives the pace by address."""
    listed = [*registers, *((address, DataType.U16) for address in words)]
    paces = every or {}
    points = tuple(
        PointSpec(f"p{address}_{at}", POINT_TYPES["generic"], every=paces.get(address, 1))
        for at, (address, _) in enumerate(listed)
    )
    sources = tuple(
        Register(table=Table.HOLDING, address=address, data=data, bit=0 if data is DataType.BIT else None)
        for address, data in listed
    )
    return ModbusProfile(name="test", kind=DeviceKind.BOARD_METER, points=points, sources=sources, **changes)
