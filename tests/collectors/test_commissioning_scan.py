"""Scanning real sockets with literal registers behind them: who is there, and which profile fits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from collectors.commissioning.connecting import Connections
from collectors.commissioning.scanning import HostFound, ScanSettings, UnitFound, scan_host
from collectors.config import ModbusEndpoint
from collectors.profiles import IdentityCheck, ModbusProfile, Span, Table
from collectors.profiles.reader import shipped
from tests.collectors.commissioning_server import (
    DISCRETE,
    HOLDING,
    INPUT,
    Bank,
    Gateway,
    f32,
    laid,
    serving,
    u32,
    u64,
)

GENERIC = tuple(
    profile
    for name, profile in shipped().items()
    if isinstance(profile, ModbusProfile) and profile.source == "dcops generic map"
)
RACK_PDU = Bank(
    words={
        HOLDING: laid(
            (0, f32(6820.0)),
            (2, f32(6950.0)),
            (4, (981, 5001, 2305, 2311, 2298, 0)),
            (10, u32(9_870)),
            (12, u32(10_120)),
            (14, u32(10_080)),
            (16, u32(123_456_789)),
        )
    }
)
CHILLER = Bank(
    words={
        INPUT: laid(
            (0, f32(151.5)),
            (2, f32(900.25)),
            (4, u64(5_432_100_000)),
            (8, (701, 1298, 2795, 3340, 1223, 1698)),
        ),
        HOLDING: {20: 70},
        DISCRETE: {0: 1, 1: 0},
    }
)
CRAH = Bank(
    words={
        INPUT: laid(
            (0, u32(4200)[::-1]),
            (2, u32(9_876_543)[::-1]),
            (4, u32(81_000)[::-1]),
            (6, (221, 352, 630, 455)),
        ),
        1: {0: 0},
    }
)
CDU = Bank(
    words={
        HOLDING: laid(
            (0, f32(7.25)),
            (2, f32(812.5)),
            (4, u32(55_555_555)),
            (6, f32(30.1)),
            (8, f32(41.7)),
            (10, f32(1010.0)),
            (12, f32(40.2)),
            (14, f32(50.4)),
            (16, f32(1220.5)),
            (18, f32(1.45)),
            (20, (713, 0, 0, 0, 0)),
        )
    }
)
UTILITY = Bank(
    words={
        HOLDING: laid(
            (100, f32(850.0)[::-1]),
            (102, f32(870.0)[::-1]),
            (104, f32(0.977)[::-1]),
            (106, f32(49.98)[::-1]),
            (108, f32(231.0)[::-1]),
            (110, f32(230.4)[::-1]),
            (112, f32(232.2)[::-1]),
            (114, f32(1251.0)[::-1]),
            (116, f32(1260.0)[::-1]),
            (118, f32(1244.0)[::-1]),
            (120, (0,) * 10),
            (130, u64(77_000_000_000)[::-1]),
        )
    }
)


class Sleeps(list[float]):
    """Pauses that were asked for; none takes time."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def connections() -> AsyncIterator[Connections]:
    opened = Connections()
    try:
        yield opened
    finally:
        opened.close()


async def scan(
    port: int,
    *units: int,
    profiles: tuple[ModbusProfile, ...] = GENERIC,
    sleeps: Sleeps | None = None,
    most_requests: int | None = 100,
    thorough: bool = False,
) -> HostFound:
    found = HostFound("127.0.0.1", port)
    settings = ScanSettings(
        units=units,
        profiles=profiles,
        pause=0.05,
        patience=0.05,
        most_requests=most_requests,
        thorough=thorough,
    )
    async with connections() as opened:
        endpoint = ModbusEndpoint(id="x", host="127.0.0.1", port=port, timeout=0.5)
        await scan_host(
            found, opened.to(endpoint), settings, sleep=sleeps if sleeps is not None else Sleeps()
        )
    return found


def best(unit: UnitFound) -> str:
    assert unit.examined is not None
    return unit.examined.matches[0].profile.name if unit.examined.matches else ""


async def test_each_unit_of_a_gateway_gets_its_true_profile() -> None:
    units = {3: RACK_PDU, 7: CHILLER, 12: CRAH, 20: CDU, 31: UTILITY}
    async with serving(Gateway(units, absent=b"\x0b")) as gateway:
        found = await scan(gateway.port, *range(1, 40))
    assert {unit.unit: best(unit) for unit in found.units} == {
        3: "rack-pdu",
        7: "chiller",
        12: "crah",
        20: "cdu",
        31: "utility-meter",
    }
    assert (found.error, found.note, found.asked) == ("", "", 39)


async def test_the_best_profile_is_well_ahead_of_the_next() -> None:
    async with serving(Gateway({1: RACK_PDU})) as gateway:
        (unit,) = (await scan(gateway.port, 1)).units
    assert unit.examined is not None
    first, *others = unit.examined.matches
    assert first.profile.name == "rack-pdu"
    assert all(each.score <= first.score - 10 for each in others)
    assert "no identity to check" in first.reasons
    assert "11 of 11 points can be read" in first.reasons
    assert "11 of 11 values plausible" in first.reasons


@pytest.mark.parametrize("absent", [None, b"\x0a", b"\x0b"], ids=["silent", "10", "11"])
async def test_units_that_are_not_there_are_not_found(absent: bytes | None) -> None:
    async with serving(Gateway({5: RACK_PDU}, absent=absent)) as gateway:
        found = await scan(gateway.port, 4, 5, 6)
    assert [unit.unit for unit in found.units] == [5]


async def test_a_unit_that_refuses_everything_is_there_and_fits_nothing() -> None:
    async with serving(Gateway({5: Bank()})) as gateway:
        (unit,) = (await scan(gateway.port, 4, 5, 6)).units
    assert unit.answer == "exception 1 (illegal function)"
    assert unit.examined is not None
    assert unit.examined.matches == ()


@pytest.mark.parametrize("word", [0, 0xFFFF, 1])
async def test_registers_that_all_hold_the_same_fit_nothing(word: int) -> None:
    full = dict.fromkeys(range(200), word)
    async with serving(Gateway({1: Bank(words={HOLDING: full, INPUT: full})})) as gateway:
        (unit,) = (await scan(gateway.port, 1)).units
    assert unit.examined is not None
    assert all(match.score < 25 for match in unit.examined.matches)


async def test_a_host_that_accepts_and_says_nothing_has_no_units() -> None:
    async with serving(Gateway({})) as gateway:
        found = await scan(gateway.port, 1, 2, 3)
    assert (found.units, found.error, found.asked) == ([], "", 3)
    assert len(gateway.asked) == 3


async def test_a_refused_connection_is_told() -> None:
    async with serving(Gateway({})) as gateway:
        port = gateway.port
    found = await scan(port, 1)
    assert "connection refused" in found.error
    assert found.asked == 0


async def test_one_request_at_a_time_with_a_pause_before_each_but_the_first() -> None:
    sleeps = Sleeps()
    async with serving(Gateway({2: RACK_PDU, 3: CHILLER})) as gateway:
        found = await scan(gateway.port, *range(1, 6), sleeps=sleeps)
    assert gateway.most_at_once == 1
    assert gateway.connections == 1
    assert len(gateway.asked) == found.requests
    assert sleeps == [0.05] * (found.requests - 1)


async def test_only_reading_functions_are_sent() -> None:
    async with serving(Gateway({2: RACK_PDU, 3: CHILLER})) as gateway:
        await scan(gateway.port, *range(1, 6))
    assert {pdu[0] for _, pdu in gateway.asked} <= {1, 2, 3, 4, 43}


async def test_nothing_is_asked_twice() -> None:
    async with serving(Gateway({2: CHILLER})) as gateway:
        await scan(gateway.port, 2)
    questions = gateway.asked[1:]
    assert len(questions) == len(set(questions))


async def test_requests_to_a_unit_are_bounded() -> None:
    async with serving(Gateway({2: RACK_PDU})) as gateway:
        (unit,) = (await scan(gateway.port, 2, most_requests=4)).units
        assert len(gateway.asked) == 5
    assert unit.examined is not None
    assert not unit.examined.complete


async def test_a_device_that_answers_to_every_number_is_one_device() -> None:
    async with serving(Gateway({}, every=RACK_PDU)) as gateway:
        found = await scan(gateway.port, *range(1, 30))
    assert [unit.unit for unit in found.units] == [1]
    assert best(found.units[0]) == "rack-pdu"
    assert "29 answers are taken for one device, unit 1" in found.note


async def test_a_gateway_that_refuses_absent_units_oddly_still_shows_its_devices() -> None:
    units = {5: RACK_PDU, 9: CDU}
    async with serving(Gateway(units, absent=b"\x04")) as gateway:
        found = await scan(gateway.port, *range(1, 12))
    assert [unit.unit for unit in found.units] == [1, 5, 9]
    assert [best(unit) for unit in found.units] == ["", "rack-pdu", "cdu"]


async def test_device_identification_is_read() -> None:
    bank = replace_identification(RACK_PDU, {0: "Acme", 1: "PDU-3", 2: "1.07"})
    async with serving(Gateway({1: bank})) as gateway:
        (unit,) = (await scan(gateway.port, 1)).units
    assert unit.examined is not None
    assert unit.examined.identification == {"vendor": "Acme", "product": "PDU-3", "revision": "1.07"}


def replace_identification(bank: Bank, objects: dict[int, str]) -> Bank:
    return Bank(words=bank.words, identification=objects)


def named(name: str, **changes: object) -> ModbusProfile:
    profile = next(each for each in GENERIC if each.name == "rack-pdu")
    return replace(profile, name=name, **changes)  # type: ignore[arg-type]


def check(text: str, address: int = 500) -> IdentityCheck:
    return IdentityCheck(table=Table.HOLDING, address=address, length=2, text=text)


ACME = Bank(words={HOLDING: {**RACK_PDU.words[HOLDING], 500: 0x4143, 501: 0x4D45}})


async def test_an_identity_that_holds_wins_and_spares_the_reading_of_others() -> None:
    ours = named("ours", identity=(check("ACME"),))
    other = named("other", identity=(check("EMCA"),))
    async with serving(Gateway({1: ACME})) as gateway:
        (unit,) = (await scan(gateway.port, 1, profiles=(other, *GENERIC, ours))).units
        asked = len(gateway.asked)
    assert unit.examined is not None
    assert [match.profile.name for match in unit.examined.matches] == ["ours"]
    assert unit.examined.matches[0].reasons[0] == "identity 'ACME' at holding 500"
    assert asked == 4


async def test_thorough_tries_the_others_too() -> None:
    ours = named("ours", identity=(check("ACME"),))
    async with serving(Gateway({1: ACME})) as gateway:
        (unit,) = (await scan(gateway.port, 1, profiles=(*GENERIC, ours), thorough=True)).units
    assert unit.examined is not None
    names = [match.profile.name for match in unit.examined.matches]
    assert names[0] == "ours"
    assert "rack-pdu" in names


async def test_a_profile_whose_identity_fails_is_out() -> None:
    other = named("other", identity=(check("EMCA"),))
    async with serving(Gateway({1: ACME})) as gateway:
        (unit,) = (await scan(gateway.port, 1, profiles=(other,))).units
    assert unit.examined is not None
    assert unit.examined.matches == ()


async def test_what_an_identified_device_forbids_is_not_read_for_another_profile() -> None:
    span = Span(table=Table.HOLDING, first=100, last=119)
    ours = named("ours", identity=(check("ACME"),), forbidden=(span,))
    async with serving(Gateway({1: ACME})) as gateway:
        await scan(gateway.port, 1, profiles=(*GENERIC, ours), thorough=True)
    reads = [pdu for _, pdu in gateway.asked if pdu[0] == HOLDING]
    assert reads
    assert not [pdu for pdu in reads if 100 <= int.from_bytes(pdu[1:3], "big") < 120]


class Dying(Bank):
    """Resets its connection at each request but the first two."""

    left = 2

    def answer(self, pdu: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError
        return super().answer(pdu)


async def test_a_device_that_falls_silent_is_left_alone() -> None:
    async with serving(Gateway({1: Dying(words=RACK_PDU.words)})) as gateway:
        found = await scan(gateway.port, 1)
    assert [unit.unit for unit in found.units] == [1]
    assert "every connection is lost" in found.error


async def test_a_device_that_ends_each_connection_keeps_no_other_from_being_examined() -> None:
    devices = {unit: Dying(words=RACK_PDU.words) for unit in (1, 2)}
    async with serving(Gateway({**devices, 3: RACK_PDU})) as gateway:
        found = await scan(gateway.port, 1, 2, 3)
    assert [unit.unit for unit in found.units] == [1, 2, 3]
    assert found.error.startswith("unit 2: every connection is lost: ")
    assert [unit.examined is None for unit in found.units] == [True, True, False]
    assert found.units[2].examined is not None
    assert found.units[2].examined.matches[0].profile.name == "rack-pdu"
