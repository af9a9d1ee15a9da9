"""Probing one device with literal registers on a real socket."""

import asyncio
from dataclasses import replace

import pytest

from collectors.commissioning.asking import Asker, UnreachableError
from collectors.commissioning.connecting import Connections
from collectors.commissioning.plausibility import Verdict
from collectors.commissioning.probing import DeviceProbe, Doubt, PointShown, Probe
from collectors.config import ModbusEndpoint
from collectors.profiles import IdentityCheck, ModbusProfile, Span, SunSpecModel, Table, TextRegister
from collectors.profiles.reader import shipped
from facility.quality import Quality
from tests.collectors.commissioning_server import HOLDING, INPUT, Bank, Gateway, f32, laid, serving, u32
from tests.collectors.conftest import raw_server, small_profile

LOADED = laid(
    (0, f32(6820.0)),
    (2, f32(6950.0)),
    (4, (981, 5001, 2305, 2311, 2298, 0)),
    (10, u32(9_870)),
    (12, u32(10_120)),
    (14, u32(10_080)),
    (16, u32(123_456_789)),
)


def profile(name: str = "rack-pdu", **changes: object) -> ModbusProfile:
    found = shipped()[name]
    assert isinstance(found, ModbusProfile)
    return replace(found, **changes)  # type: ignore[arg-type]


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


async def look(
    gateway: Gateway, of: ModbusProfile | None = None, doubt: Doubt | None = None, *, times: int = 1
) -> Probe:
    return await look_at(gateway.port, of, doubt, times=times)


async def look_at(
    port: int, of: ModbusProfile | None = None, doubt: Doubt | None = None, *, times: int = 1
) -> Probe:
    connections = Connections()
    endpoint = ModbusEndpoint(id="x", host="127.0.0.1", port=port, timeout=0.1)
    asker = Asker(connections.to(endpoint), pause=0.05, sleep=no_pause)
    try:
        probe = DeviceProbe(asker, 1, of or profile())
        for _ in range(times):
            found = await probe.look(doubt or Doubt())
    finally:
        asker.close()
        connections.close()
    return found


async def probed(words: dict[int, int], of: ModbusProfile | None = None, doubt: Doubt | None = None) -> Probe:
    async with serving(Gateway({1: Bank(words={HOLDING: words})})) as gateway:
        return await look(gateway, of, doubt)


def point(probe: Probe, name: str) -> PointShown:
    return next(each for each in probe.points if each.point.name == name)


def swapped(words: dict[int, int], *addresses: int) -> dict[int, int]:
    """With the words of the values at these addresses exchanged."""
    changed = dict(words)
    for address in addresses:
        changed[address], changed[address + 1] = words[address + 1], words[address]
    return changed


async def test_a_sound_device_is_shown_with_raw_words_and_values() -> None:
    probe = await probed(LOADED)
    power, voltage = point(probe, "active_power"), point(probe, "voltage_l1")
    assert (power.words, power.value, power.quality) == ((0x45D5, 0x2000), 6820.0, Quality.GOOD)
    assert (voltage.words, voltage.value) == ((0x0901,), pytest.approx(230.5))
    assert all(each.verdict is Verdict.PLAUSIBLE for each in probe.points)
    assert all(not each.remark and not each.readings for each in probe.points)
    assert all(check.passed for check in probe.checks)
    assert (probe.hints, probe.error) == ((), "")


async def test_swapped_words_are_recognised_over_all_points() -> None:
    probe = await probed(swapped(LOADED, 0, 2, 10, 12, 14, 16))
    assert [str(hint) for hint in probe.hints] == [
        "5 of 5 doubtful values become plausible with order CDAB: write 'order: CDAB' in the profile"
    ]
    best = point(probe, "active_power").readings[0]
    assert (str(best), best.value) == ("CDAB f32", 6820.0)
    assert "unusual, expected -6300…6300 A" in point(probe, "current_l1").remark


async def test_registers_one_behind_their_addresses_are_recognised_over_all_points() -> None:
    probe = await probed({0: 0, **{address + 1: word for address, word in LOADED.items()}})
    text = "6 of 6 doubtful values become plausible at address + 1"
    assert [str(hint) for hint in probe.hints] == [f"{text}: write 'shift: 1' in a profile that extends it"]


async def test_a_document_that_counts_from_one_is_recognised_over_all_points() -> None:
    probe = await probed({**LOADED, 18: 0}, moved_by_one())
    assert [str(hint) for hint in probe.hints][-1].endswith(
        "at address − 1: write 'shift: -1' in a profile that extends it"
    )
    assert point(probe, "frequency").readings[0].shift == -1


def moved_by_one() -> ModbusProfile:
    """The profile of a document that counts from 1: every address is one too high."""
    whole = profile()
    return replace(
        whole, sources=tuple(replace(each, address=each.address + 1) for each in whole.registers), max_gap=4
    )


async def test_a_scale_that_is_ten_times_too_large_is_recognised() -> None:
    probe = await probed({**LOADED, 5: 500})
    best = point(probe, "frequency").readings[0]
    assert (best.factor, best.value, best.plausible) == (10.0, pytest.approx(50.0), True)


async def test_a_sentinel_is_no_value_and_is_shown_in_every_way() -> None:
    probe = await probed({**LOADED, 4: 0x8000})
    factor = point(probe, "power_factor")
    assert (factor.quality, factor.remark) == (Quality.SENSOR_FAILURE, "the device says there is no value")
    assert factor.readings


async def test_a_known_value_is_found_in_a_chosen_point() -> None:
    doubt = Doubt(points=frozenset({"active_energy"}), expect=123_456_789.0)
    probe = await probed(swapped(LOADED, 16), doubt=doubt)
    best = point(probe, "active_energy").readings[0]
    assert (str(best), best.value, best.near) == ("CDAB u32", 123_456_789.0, True)


async def test_a_refused_register_is_named_and_costs_no_other() -> None:
    words = {address: word for address, word in LOADED.items() if address not in {16, 17}}
    async with serving(Gateway({1: Bank(words={HOLDING: words})})) as gateway:
        probe = await look(gateway)
    energy = point(probe, "active_energy")
    assert energy.remark == "exception 2 (illegal data address) reading holding 16+2"
    assert energy.quality == Quality.NOT_CONNECTED
    assert point(probe, "current_l3").value == pytest.approx(10.08)
    assert probe.error == ""


async def test_what_was_refused_is_not_asked_again() -> None:
    words = {address: word for address, word in LOADED.items() if address not in {16, 17}}
    async with serving(Gateway({1: Bank(words={HOLDING: words})})) as gateway:
        await look(gateway, times=3)
    refused = [pdu for _, pdu in gateway.asked if pdu == bytes.fromhex("03 0010 0002")]
    assert len(refused) == 1


async def test_a_unit_that_is_silent_is_told_and_not_asked_for_everything() -> None:
    async with serving(Gateway({})) as gateway:
        probe = await look(gateway, profile(max_registers=2))
    assert "no reply in time" in probe.error
    assert len(gateway.asked) <= 4
    assert point(probe, "active_energy").remark.startswith("not asked")


async def test_a_device_that_refuses_all_is_told() -> None:
    async with serving(Gateway({1: Bank(words={INPUT: {0: 1}})})) as gateway:
        probe = await look(gateway)
    assert "exception 1 (illegal function)" in probe.error


async def test_a_refused_connection_is_unreachable() -> None:
    async with serving(Gateway({})) as gateway:
        pass
    with pytest.raises(UnreachableError, match="connection refused"):
        await look(gateway)


async def test_forbidden_neighbours_are_not_read() -> None:
    span = Span(table=Table.HOLDING, first=18, last=40)
    doubt = Doubt(points=frozenset({"active_energy"}))
    async with serving(Gateway({1: Bank(words={HOLDING: {**LOADED, 18: 7}})})) as gateway:
        await look(gateway, profile(forbidden=(span,)), doubt)
    assert not [pdu for _, pdu in gateway.asked if pdu[:3] == bytes.fromhex("03 0012")]


async def test_identification_identity_and_texts_are_shown() -> None:
    words = {**LOADED, 100: 0x4143, 101: 0x4D45, 102: 0x4231, 103: 0x3200}
    bank = Bank(words={HOLDING: words}, identification={0: "Acme", 1: "PDU-3"})
    of = profile(
        identity=(IdentityCheck(table=Table.HOLDING, address=100, length=2, text="ACME"),),
        texts=(TextRegister(name="serial", table=Table.HOLDING, address=102, length=2),),
    )
    async with serving(Gateway({1: bank})) as gateway:
        probe = await look(gateway, of)
    assert probe.identification == {"vendor": "Acme", "product": "PDU-3"}
    assert probe.identity == ("identity 'ACME' at holding 100",)
    assert probe.texts == {"serial": "B12"}


async def test_a_sunspec_model_is_walked_to() -> None:
    chain = laid(
        (40000, (0x5375, 0x6E53, 1, 2, 0, 0, 213, 18)), (40008, tuple(LOADED.values())), (40026, (0,))
    )
    of = profile(sunspec=SunSpecModel(model=213))
    moved = replace(of, sources=tuple(replace(each, address=each.address + 2) for each in of.registers))
    probe = await probed(chain, moved)
    assert point(probe, "active_power").value == 6820.0
    missing = await probed(LOADED, moved)
    assert "no SunSpec device" in missing.error


async def test_a_device_that_takes_any_question_for_twelve_bytes_is_read_all_the_same():
    async with raw_server() as server:
        found = await look_at(server.port, small_profile(0, 1))
    assert found.error == ""
    assert [each.value for each in found.points] == [1.0, 1.0]
