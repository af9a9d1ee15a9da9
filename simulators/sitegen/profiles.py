"""Profiles of the richly metered devices of a generated site, written beside it: one for each size.

Their names of points are those the plant knows: ``current_l1``, ``power_l1``, and ``outlet_07_current`` or
``circuit_07_power`` for a part of a device, whose phase follows from its number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

CIRCUITS = 48
"""Branch circuits of a panel: three phases of sixteen."""
_PARTS_AT = 1000
"""Register at which the parts of a device begin: first all currents, then all powers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFile:
    """A profile as a file of the site."""

    name: str
    text: str


def pdu_profile(outlets: int) -> ProfileFile:
    """A three-phase rack PDU that meters each outlet; two reads get all of it."""
    return _profile(
        f"rack-pdu-{outlets}-outlets",
        "rack_pdu",
        f"three-phase rack PDU, metered by inlet, phase and {outlets} outlets",
        [
            "{name: active_power, address: 0, data: f32, unit: W}",
            "{name: apparent_power, address: 2, data: f32, unit: VA}",
            "{name: power_factor, address: 4, data: s16, scale: 0.001, invalid: [0x8000]}",
            "{name: frequency, address: 5, data: u16, unit: Hz, scale: 0.01, invalid: [0xFFFF]}",
            *(
                f"{{name: voltage_l{phase}, type: voltage, address: {5 + phase}, data: u16, unit: V,"
                " scale: 0.1, invalid: [0xFFFF]}"
                for phase in (1, 2, 3)
            ),
            *(
                f"{{name: current_l{phase}, type: phase_current, address: {8 + 2 * phase}, data: u32,"
                " unit: mA, invalid: [0xFFFFFFFF]}"
                for phase in (1, 2, 3)
            ),
            *(
                f"{{name: power_l{phase}, type: phase_power, address: {14 + 2 * phase}, data: f32, unit: W}}"
                for phase in (1, 2, 3)
            ),
            "{name: active_energy, address: 22, data: u32, unit: Wh, modulus: 4294967296}",
            *_parts("outlet", outlets, watts=1),
        ],
    )


def tap_profile() -> ProfileFile:
    """A tap-off box that meters each phase; one read gets all of it."""
    return _profile(
        "busway-tap-phases",
        "busway_tap",
        "tap-off box of a busway, metered by phase, least significant word first",
        [
            "{name: active_power, address: 1000, data: f32, unit: kW}",
            *(
                f"{{name: current_l{phase}, type: phase_current, address: {1000 + 2 * phase},"
                " data: f32, unit: A}"
                for phase in (1, 2, 3)
            ),
            *(
                f"{{name: voltage_l{phase}, type: voltage, address: {1006 + 2 * phase}, data: f32, unit: V}}"
                for phase in (1, 2, 3)
            ),
            *(
                f"{{name: power_l{phase}, type: phase_power, address: {1012 + 2 * phase},"
                " data: f32, unit: kW}"
                for phase in (1, 2, 3)
            ),
            "{name: breaker_closed, address: 1020, data: bit, bit: 2}",
            "{name: active_energy, address: 1022, data: u32, unit: Wh, modulus: 4294967296}",
            "{name: apparent_power, address: 1024, data: f32, unit: kVA}",
            "{name: power_factor, address: 1026, data: f32}",
        ],
        order="CDAB",
    )


def panel_profile() -> ProfileFile:
    """A remote power panel that meters its main and each branch circuit; two reads get all of it."""
    return _profile(
        f"rpp-{CIRCUITS}-circuits",
        "rpp",
        f"remote power panel, metered by phase and {CIRCUITS} branch circuits",
        [
            "{name: active_power, address: 0, data: s32, unit: W, invalid: [0x80000000]}",
            "{name: power_factor, address: 2, data: s16, scale: 0.001, invalid: [0x8000]}",
            "{name: frequency, address: 3, data: u16, unit: Hz, scale: 0.01, invalid: [0xFFFF]}",
            *(
                f"{{name: voltage_l{phase}, type: voltage, address: {3 + phase}, data: u16, unit: V,"
                " scale: 0.1, invalid: [0xFFFF]}"
                for phase in (1, 2, 3)
            ),
            *(
                f"{{name: current_l{phase}, type: phase_current, address: {6 + phase}, data: u16, unit: A,"
                " scale: 0.1, invalid: [0xFFFF]}"
                for phase in (1, 2, 3)
            ),
            "{name: active_energy, address: 10, data: u32, unit: Wh, modulus: 4294967296}",
            *_parts("circuit", CIRCUITS, watts=10),
        ],
    )


def _profile(name: str, kind: str, what: str, points: Iterable[str], order: str = "ABCD") -> ProfileFile:
    lines = [
        f"# Generated: {what}.",
        f"profile: {name}",
        f"kind: {kind}",
        "protocol: modbus",
        "source: dcops generated map",
        "table: holding",
        f"order: {order}",
        "max_gap: 4",
        "points:",
        *(f"  - {point}" for point in points),
    ]
    return ProfileFile(name=name, text="\n".join(lines) + "\n")


def _parts(part: str, count: int, *, watts: int) -> list[str]:
    """Currents and powers of parts; ``watts`` is what their meters resolve."""
    currents = [
        f"{{name: {part}_{number:02}_current, type: current, address: {_PARTS_AT + number - 1}, data: u16,"
        " unit: A, scale: 0.01, invalid: [0xFFFF]}"
        for number in range(1, count + 1)
    ]
    powers = [
        f"{{name: {part}_{number:02}_power, type: power, address: {_PARTS_AT + count + number - 1},"
        f" data: u16, unit: W, scale: {watts}, invalid: [0xFFFF]}}"
        for number in range(1, count + 1)
    ]
    return currents + powers
