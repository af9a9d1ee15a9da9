"""What the platform remembers across a restart, as bytes: counters, windows of key figures, alarms."""

import io
import json
from dataclasses import asdict

import numpy as np

from facility.derived import Remembered
from facility.energy import CounterState
from facility.kpis import Snapshot
from facility.quantities import Window

FORMAT = 1


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
        "counters": [[energy, device, asdict(s)] for (energy, device), s in remembered.counters.items()],
        "shares": [[rollup, device, share] for (rollup, device), share in remembered.shares.items()],
    }
    width = len(remembered.ratios)
    body = io.BytesIO()
    np.savez(
        body,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        times=np.array([each.time for each in snapshots], dtype=np.int64),
        upper=_rows([each.upper for each in snapshots], width),
        lower=_rows([each.lower for each in snapshots], width),
        covered=_rows([each.covered for each in snapshots], width),
    )
    return body.getvalue()


def decode(body: bytes) -> Remembered:
    """What ``encode`` was given.

    Raises:
        MemoryUnreadableError: the bytes are cut short, altered or of another version.
    """
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            _expect_format(header["format"])
            columns = (stored["times"], stored["upper"], stored["lower"], stored["covered"])
            snapshots = [
                Snapshot(int(time), upper, lower, covered)
                for time, upper, lower, covered in zip(*columns, strict=True)
            ]
        rolling = header["rolling"]
        fixed = {Window(name): snapshots[rolling + at] for at, name in enumerate(header["fixed"])}
        return Remembered(
            {(energy, device): CounterState(**state) for energy, device, state in header["counters"]},
            tuple(header["ratios"]),
            tuple(snapshots[:rolling]),
            fixed,
            snapshots[-1] if header["first"] else None,
            {(rollup, device): share for rollup, device, share in header.get("shares", [])},
        )
    except Exception as error:  # any damage to the bytes surfaces as some error of zip, numpy or json
        raise MemoryUnreadableError(f"remembered figures cannot be read: {error}") from error


def _expect_format(found: object) -> None:
    if found != FORMAT:
        raise ValueError(f"format {found}, expected {FORMAT}")


def _rows(
    arrays: list[np.ndarray[tuple[int], np.dtype[np.float64]]], width: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(arrays, dtype=np.float64).reshape(len(arrays), width)
