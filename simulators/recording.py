"""Recordings of what a collector saw.

A recording is a file of blocks. It begins with one line of JSON::

    {"dcops_recording": 1, "series": ["rack-01-pdu-a.active_power", ...]}

A block is a header of 16 bytes, big-endian: ``DCRB``, number of samples (u32), length of what follows
(u32), its CRC-32 (u32); then, compressed with zlib, its samples one after the other, little-endian: first
series (u32), number of values (u32), time in ns since the epoch (i64), the values (f64 each), their quality
(u8 each). A sample's values are of consecutive series. Values are in base units, NaN where there is none.

A file whose end is torn, as after a crash, is read up to its last whole block; what is lost is counted.
"""

import asyncio
import logging
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import orjson

from facility.sample import Emit, Sample
from simulators.errors import RecordingError

_LOG = logging.getLogger(__name__)

VERSION = 1
_MAGIC = b"DCRB"
_BLOCK = struct.Struct(">4sIII")
_SAMPLE = struct.Struct("<IIq")
_KEY = "dcops_recording"
_BYTES_A_VALUE = 9
_FLUSH_PERIOD = 1.0
"""Real seconds between writes."""


class Recorder:
    """Takes samples as an ``Emit``, passes them on and writes them to a file now and then.

    ``run`` writes. Between its writes samples are buffered, up to a bound; beyond it they are not
    recorded, and counted. So are all that come after the disk has refused some: who collects goes on.
    """

    def __init__(
        self, path: Path, series: Sequence[str], forward: Emit | None = None, bound: int = 64 << 20
    ) -> None:
        """``series`` are the names of all series in point order; ``bound`` is in bytes of buffer."""
        self._path = path
        self._series = tuple(series)
        self._forward = forward
        self._bound = bound
        self._buffer = bytearray()
        self._buffered = 0
        self._ended = False
        self.recorded = 0
        """Samples written so far."""
        self.dropped = 0
        """Samples not recorded because the buffer was full or the disk took no more."""

    def __call__(self, sample: Sample) -> None:
        """Takes one sample."""
        if self._ended:
            self.dropped += 1
        elif len(self._buffer) + _SAMPLE.size + _BYTES_A_VALUE * len(sample.values) <= self._bound:
            self._buffer += _SAMPLE.pack(sample.first, len(sample.values), sample.time)
            self._buffer += np.ascontiguousarray(sample.values, dtype="<f8").tobytes()
            self._buffer += np.ascontiguousarray(sample.quality, dtype=np.uint8).tobytes()
            self._buffered += 1
        else:
            if not self.dropped:
                _LOG.warning("%s cannot be written as fast as samples come: some are left out", self._path)
            self.dropped += 1
        if self._forward is not None:
            self._forward(sample)

    async def run(self) -> None:
        """Creates the file and writes to it until cancelled; then writes what is left.

        Raises:
            OSError: the file cannot be made, or is there already.
        """
        with self._path.open("xb", buffering=0) as file:
            file.write(orjson.dumps({_KEY: VERSION, "series": self._series}) + b"\n")
            try:
                while True:
                    await asyncio.sleep(_FLUSH_PERIOD)
                    await _to_its_end(self._write, file, *self._take())
            finally:
                self._write(file, *self._take())
                if self.dropped:
                    _LOG.warning("%s lacks %d samples", self._path, self.dropped)

    def _take(self) -> tuple[bytes, int]:
        taken = bytes(self._buffer), self._buffered
        self._buffer.clear()
        self._buffered = 0
        return taken

    def _write(self, file: FileIO, data: bytes, samples: int) -> None:
        if not samples:
            return
        packed = zlib.compress(data, 1)
        left = memoryview(_BLOCK.pack(_MAGIC, samples, len(packed), zlib.crc32(packed)) + packed)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            self._ended = True
            self.dropped += samples
            why = error.strerror or error
            _LOG.error("%s cannot be written any more (%s): the recording ends here", self._path, why)
        else:
            self.recorded += samples


async def _to_its_end(work: Callable[..., None], *arguments: object) -> None:
    """Do something in a thread; who is cancelled meanwhile waits for it, lest what follows overtakes it."""
    doing = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        raise


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in memory."""

    series: tuple[str, ...]
    samples: tuple[Sample, ...]
    """In the order they were recorded; indices are places in ``series``."""
    torn_bytes: int
    """Bytes at the end that are no whole block."""
    lost_samples: int
    """Samples of the torn block, as far as its header tells."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recording in a file.

        Raises:
            RecordingError: it is not a recording, or of an unknown version.
            OSError: it cannot be read.
        """
        content = path.read_bytes()
        line, _, rest = content.partition(b"\n")
        series = _header(line, path)
        samples: list[Sample] = []
        at = 0
        lost = 0
        while at < len(rest):
            block, count = _block(rest, at)
            if block is None:
                lost = count
                torn = len(rest) - at
                _LOG.warning("%s: its last %d bytes, %d samples, are torn and left out", path, torn, lost)
                break
            try:
                samples.extend(_samples(zlib.decompress(block), len(series), path))
            except (zlib.error, struct.error, ValueError) as error:
                raise RecordingError(
                    f"{path}: the block at byte {at} of its blocks is none: {error}"
                ) from error
            at += _BLOCK.size + int.from_bytes(rest[at + 8 : at + 12], "big")
        return cls(series, tuple(samples), len(rest) - at, lost)

    @property
    def start(self) -> int:
        """Time of the earliest sample, ns; 0 if there is none."""
        return min((sample.time for sample in self.samples), default=0)

    def onto(self, series: Iterable[str]) -> Iterator[Sample]:
        """The samples in order of time, indexed by another list of series; unknown ones are left out."""
        index = {name: at for at, name in enumerate(series)}
        place = np.array([index.get(name, -1) for name in self.series], dtype=np.int64)
        for sample in sorted(self.samples, key=lambda each: each.time):
            yield from _moved(sample, place[sample.first : sample.first + len(sample.values)])


def _header(line: bytes, path: Path) -> tuple[str, ...]:
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"{path} is not a recording: its first line is not JSON") from error
    if isinstance(header, dict) and "dcops_frames" in header:
        raise RecordingError(f"{path} is a recording of frames, not of samples; 'dcops replay' serves it")
    if not isinstance(header, dict) or _KEY not in header or not isinstance(header.get("series"), list):
        raise RecordingError(f"{path} is not a recording: its first line has no {_KEY!r} and 'series'")
    if header[_KEY] != VERSION:
        raise RecordingError(f"{path} is a recording of version {header[_KEY]}; this reads version {VERSION}")
    return tuple(str(name) for name in header["series"])


def _block(rest: bytes, at: int) -> tuple[bytes | None, int]:
    """A block's samples, packed, or None if it is torn; and how many samples it says it has."""
    if len(rest) - at < _BLOCK.size:
        return None, 0
    magic, count, length, checksum = _BLOCK.unpack_from(rest, at)
    packed = rest[at + _BLOCK.size : at + _BLOCK.size + length]
    if magic != _MAGIC:
        return None, 0
    if len(packed) < length or zlib.crc32(packed) != checksum:
        return None, int(count)
    return packed, int(count)


def _samples(block: bytes, series: int, path: Path) -> Iterator[Sample]:
    at = 0
    while at < len(block):
        first, count, time = _SAMPLE.unpack_from(block, at)
        if first + count > series:
            raise RecordingError(f"{path}: a sample of series {first} to {first + count} of only {series}")
        at += _SAMPLE.size
        values = np.frombuffer(block, "<f8", count, at).astype(np.float64)
        quality = np.frombuffer(block, np.uint8, count, at + 8 * count).copy()
        at += _BYTES_A_VALUE * count
        yield Sample(first, time, values, quality)


def _moved(sample: Sample, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[Sample]:
    """A sample cut where its series do not follow each other in the new order."""
    cuts = np.flatnonzero((np.diff(places) != 1) | (places[:-1] < 0)) + 1
    bounds = [0, *cuts.tolist(), len(places)]
    for start, stop in pairwise(bounds):
        if start < stop and places[start] >= 0:
            yield Sample(
                int(places[start]), sample.time, sample.values[start:stop], sample.quality[start:stop]
            )
