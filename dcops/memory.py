"""What the platform remembers across a restart, as bytes: counters, windows of key figures, shares."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from facility.amounts import Counted, DeviceCounters
from facility.counter_states import CounterStates
from facility.derived import Remembered
from facility.kpis import Snapshot
from facility.pledges import Pledge
from facility.quantities import Window
from facility.rollups import DeviceShares

FORMAT = 2
"""1: each counter and share by itself in the header, which took long to write."""

_STATES = tuple(field.name for field in fields(CounterStates))
_LATER = frozenset({"last_step", "highest_power", "carried_to", "gap", "settles_since", "settles_until"})
"""States that an earlier dcops did not remember."""
_COUNTED = tuple(field.name for field in fields(Counted))
_PLEDGE = tuple(field.name for field in fields(Pledge))
_Arrays = Mapping[str, NDArray[np.generic]]


class MemoryUnreadableError(ValueError):
    """The bytes are not something this version wrote; the platform starts with nothing remembered."""


def encode(remembered: Remembered) -> bytes:
    """The bytes that ``decode`` reads: one numpy archive with a JSON header."""
    snapshots = [*remembered.rolling, *remembered.fixed.values()]
    if remembered.first is not None:
        snapshots.append(remembered.first)
    header = {
        "format": FORMAT,
        "ratios": list(remembered.ratios),
        "rolling": len(remembered.rolling),
        "fixed": [str(window) for window in remembered.fixed],
        "first": remembered.first is not None,
        "counters": list(remembered.counters),
        "shares": list(remembered.shares),
    }
    width = len(remembered.ratios)
    arrays: dict[str, NDArray[np.generic]] = {
        "header": _text(json.dumps(header)),
        "times": np.array([each.time for each in snapshots], dtype=np.int64),
        "upper": _rows([each.upper for each in snapshots], width),
        "lower": _rows([each.lower for each in snapshots], width),
        "covered": _rows([each.covered for each in snapshots], width),
        **({} if remembered.began is None else {"began": remembered.began}),
    }
    for energy, counters in remembered.counters.items():
        arrays[f"counters.{energy}.devices"] = _text("\n".join(counters.devices))
        arrays |= {f"counters.{energy}.{name}": getattr(counters.states, name) for name in _STATES}
        if counters.counted is not None:
            arrays |= {f"counted.{energy}.{name}": getattr(counters.counted, name) for name in _COUNTED}
        if counters.pledge is not None:
            arrays[f"pledge.{energy}.spaces"] = _text("\n".join(counters.spaces))
            arrays |= {
                f"pledge.{energy}.{name}": np.asarray(getattr(counters.pledge, name)) for name in _PLEDGE
            }
    for rollup, each in remembered.shares.items():
        arrays[f"shares.{rollup}.devices"] = _text("\n".join(each.devices))
        arrays[f"shares.{rollup}.shares"] = each.shares
    body = io.BytesIO()
    np.savez(body, allow_pickle=False, **arrays)
    return body.getvalue()


def decode(body: bytes) -> Remembered:
    """What ``encode`` was given, by this version or an earlier one.

    Raises:
        MemoryUnreadableError: the bytes are cut short, altered or of a later version.
    """
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays["header"].tobytes())
        _expect_format(header["format"])
        columns = (arrays["times"], arrays["upper"], arrays["lower"], arrays["covered"])
        snapshots = [
            Snapshot(int(time), upper, lower, covered)
            for time, upper, lower, covered in zip(*columns, strict=True)
        ]
        rolling = header["rolling"]
        fixed = {Window(name): snapshots[rolling + at] for at, name in enumerate(header["fixed"])}
        first_format = header["format"] == 1
        return Remembered(
            _counters_of_1(header["counters"]) if first_format else _counters(arrays, header["counters"]),
            tuple(header["ratios"]),
            tuple(snapshots[:rolling]),
            fixed,
            snapshots[-1] if header["first"] else None,
            arrays["began"].astype(np.int64) if "began" in arrays else None,
            _shares_of_1(header.get("shares", [])) if first_format else _shares(arrays, header["shares"]),
        )
    except Exception as error:  # any damage to the bytes surfaces as some error of zip, numpy or json
        raise MemoryUnreadableError(f"remembered figures cannot be read: {error}") from error


def _expect_format(found: object) -> None:
    if found not in {1, FORMAT}:
        raise ValueError(f"format {found}, expected {FORMAT}")


def _counters(arrays: _Arrays, energies: Iterable[str]) -> dict[str, DeviceCounters]:
    return {
        energy: DeviceCounters(
            _lines(arrays[f"counters.{energy}.devices"]),
            _states(_columns(arrays, f"counters.{energy}.")),
            *_pledge(arrays, f"pledge.{energy}."),
            _counted(arrays, f"counted.{energy}."),
        )
        for energy in energies
    }


def _columns(arrays: _Arrays, prefix: str) -> _Arrays:
    """The states of counters; 0 is what an earlier dcops did not remember."""
    missing = {name: np.zeros(len(arrays[f"{prefix}time"])) for name in _LATER if prefix + name not in arrays}
    return missing | {name: arrays[prefix + name] for name in _STATES if name not in missing}


def _counted(arrays: _Arrays, prefix: str) -> Counted | None:
    if f"{prefix}amounts" not in arrays:
        return None
    return Counted(*(arrays[prefix + name].astype(np.float64) for name in _COUNTED))


def _pledge(arrays: _Arrays, prefix: str) -> tuple[tuple[str, ...], Pledge | None]:
    """What was told of which spaces; an earlier dcops did not remember it."""
    if f"{prefix}spaces" not in arrays:
        return (), None
    columns = {name: arrays[prefix + name] for name in _PLEDGE}
    pledge = Pledge(
        int(columns["time"]),
        columns["amounts"].astype(np.float64),
        columns["rates"].astype(np.float64),
        columns["leaning"].astype(np.bool_),
        columns["members"].astype(np.int64),
    )
    return _lines(arrays[f"{prefix}spaces"]), pledge


def _states(columns: _Arrays) -> CounterStates:
    floats = {name: column.astype(np.float64) for name, column in columns.items() if name != "time"}
    return CounterStates(time=columns["time"].astype(np.int64), **floats)


def _shares(arrays: _Arrays, rollups: Iterable[str]) -> dict[str, DeviceShares]:
    return {
        rollup: DeviceShares(
            _lines(arrays[f"shares.{rollup}.devices"]),
            arrays[f"shares.{rollup}.shares"].astype(np.float64),
        )
        for rollup in rollups
    }


def _counters_of_1(rows: Iterable[tuple[str, str, dict[str, float]]]) -> dict[str, DeviceCounters]:
    """Rows of (energy, device, state)."""
    of_energy: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for energy, device, state in rows:
        of_energy.setdefault(energy, []).append((device, state))
    return {
        energy: DeviceCounters(
            tuple(device for device, _ in states),
            _states({name: np.array([state.get(name, 0) for _, state in states]) for name in _STATES}),
        )
        for energy, states in of_energy.items()
    }


def _shares_of_1(rows: Iterable[tuple[str, str, float]]) -> dict[str, DeviceShares]:
    """Rows of (rollup, device, share)."""
    of_rollup: dict[str, list[tuple[str, float]]] = {}
    for rollup, device, share in rows:
        of_rollup.setdefault(rollup, []).append((device, share))
    return {
        rollup: DeviceShares(
            tuple(device for device, _ in shares), np.array([share for _, share in shares], dtype=np.float64)
        )
        for rollup, shares in of_rollup.items()
    }


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _lines(text: NDArray[np.generic]) -> tuple[str, ...]:
    return tuple(text.tobytes().decode().split("\n")) if text.size else ()


def _rows(arrays: Sequence[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    return np.array(arrays, dtype=np.float64).reshape(len(arrays), width)
