"""Recordings of what a collector saw.

A recording is a file of blocks. It begins with one line of JSON::

    {"dcops_recording": 1, "started": 1768478400000000000, "series": ["rack-01-pdu-a.active_power", ...]}

``started`` is when it began, in ns since the epoch; 0 if that is not known. Samples may be older: what a
broker has kept of a device bears the device's time.

A block is a header of 16 bytes, big-endian: ``DCRB``, number of samples (u32), length of what follows
(u32), its CRC-32 (u32); then, compressed with zlib, its samples one after the other, little-endian: first
series (u32), number of values (u32), time in ns since the epoch (i64), the values (f64 each), their quality
(u8 each). A sample's values are of consecutive series. Values are in base units, NaN where there is none.

A file whose end is torn, as after a crash, is read up to its last whole block. A damaged block is left out.
What is lost is counted.
"""

import asyncio
import heapq
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import orjson
from numpy.typing import NDArray

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
_LONGEST_HEAD = 1 << 28
"""Bytes of a first line; a million series take some 40 MB."""


class Recorder:
    """Takes samples as an ``Emit``, passes them on and writes them to a file now and then.

    ``run`` writes. Between its writes samples are buffered, up to a bound; beyond it they are not
    recorded, and counted. So are all that come after the disk has refused some: who collects goes on.
    """

    def __init__(
        self,
        path: Path,
        series: Sequence[str],
        forward: Emit | None = None,
        bound: int = 64 << 20,
        *,
        started: int = 0,
    ) -> None:
        """Args:
        path: the file that is made.
        series: the names of all series in point order.
        forward: takes the samples after it.
        bound: bytes of buffer.
        started: when the recording begins, ns.
        """
        self._path = path
        self._started = started
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
            file.write(
                orjson.dumps({_KEY: VERSION, "started": self._started, "series": self._series}) + b"\n"
            )
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
        if self._ended:  # behind a torn block nothing could be found again
            self.dropped += samples
            return
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
class Block:
    """A whole block of a recording."""

    at: int
    """Byte of the file at which its samples begin, packed."""
    length: int
    """Bytes they take there."""
    earliest: int
    """Time of the earliest of them, ns."""
    latest: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in a file. Its samples stay there until they are asked for: they may be many."""

    path: Path
    started: int
    """When it began, ns; 0 if that is not known."""
    series: tuple[str, ...]
    blocks: tuple[Block, ...]
    """In the order they were recorded."""
    torn_bytes: int
    """Bytes at the end that are no whole block."""
    lost_samples: int
    """Samples of damaged blocks and of the torn one, as far as their headers tell."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recording in a file.

        Raises:
            RecordingError: it is not a recording, or of an unknown version.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            started, series = _header(file.readline(_LONGEST_HEAD), path)
            first = at = file.tell()
            end = os.fstat(file.fileno()).st_size
            blocks: list[Block] = []
            lost = 0
            while at < end:
                samples, checksum, packed = _packed(file)
                if packed is None:
                    lost += samples
                    torn = end - at
                    _LOG.warning(
                        "%s: its last %d bytes, %d samples, are torn and left out", path, torn, samples
                    )
                    break
                if zlib.crc32(packed) == checksum:
                    place = f"{path}: the block at byte {at - first} of its blocks"
                    times = [time for *_, time in _places(_unpacked(packed, place), len(series), place)]
                    if times:
                        blocks.append(Block(at + _BLOCK.size, len(packed), min(times), max(times)))
                else:
                    lost += samples
                    _LOG.warning("%s: a block of %d samples is damaged and left out", path, samples)
                at += _BLOCK.size + len(packed)
        return cls(path, started, series, tuple(blocks), end - at, lost)

    @property
    def start(self) -> int:
        """Time from which on it tells what happened, ns. What was before is told at once."""
        return max(self.started, min((block.earliest for block in self.blocks), default=0))

    @property
    def end(self) -> int:
        """Time of the latest sample, ns; 0 if there is none."""
        return max((block.latest for block in self.blocks), default=0)

    def samples(self) -> Iterator[Sample]:
        """The samples in the order they were recorded; indices are places in ``series``."""
        with self.path.open("rb") as file:
            for block in self.blocks:
                yield from self._of(block, file)

    def onto(self, series: Iterable[str]) -> Iterator[Sample]:
        """The samples in order of time, indexed by another list of series; unknown ones are left out."""
        index = {name: at for at, name in enumerate(series)}
        places = np.array([index.get(name, -1) for name in self.series], dtype=np.int64)
        for sample in self._in_order():
            yield from _moved(sample, places[sample.first : sample.first + len(sample.values)])

    def _in_order(self) -> Iterator[Sample]:
        """The samples in order of time. In memory are those of blocks that reach into the same time."""
        waiting: list[tuple[int, int, int, Sample]] = []
        with self.path.open("rb") as file:
            for block in sorted(self.blocks, key=lambda each: each.earliest):
                while waiting and waiting[0][0] < block.earliest:
                    yield heapq.heappop(waiting)[-1]
                for number, sample in enumerate(self._of(block, file)):
                    heapq.heappush(waiting, (sample.time, block.at, number, sample))
        while waiting:
            yield heapq.heappop(waiting)[-1]

    def _of(self, block: Block, file: BinaryIO) -> Iterator[Sample]:
        file.seek(block.at)
        place = f"{self.path}: the block at byte {block.at} of the file"
        content = _unpacked(file.read(block.length), place)
        for at, first, count, time in _places(content, len(self.series), place):
            values = np.frombuffer(content, "<f8", count, at).astype(np.float64)
            quality = np.frombuffer(content, np.uint8, count, at + 8 * count).copy()
            yield Sample(first, time, values, quality)


def _header(line: bytes, path: Path) -> tuple[int, tuple[str, ...]]:
    """When it began, and its series."""
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
    started = header.get("started")
    return (
        started if isinstance(started, int) else 0,
        tuple(str(name) for name in header["series"]),
    )


def _packed(file: BinaryIO) -> tuple[int, int, bytes | None]:
    """Of the block that comes next: number of samples, checksum, and what it holds, if it is whole."""
    head = file.read(_BLOCK.size)
    if len(head) < _BLOCK.size:
        return 0, 0, None
    magic, samples, length, checksum = _BLOCK.unpack(head)
    if magic != _MAGIC:
        return 0, 0, None
    packed = file.read(length)
    return int(samples), int(checksum), packed if len(packed) == length else None


def _unpacked(packed: bytes, place: str) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error as error:
        raise RecordingError(f"{place} is none: {error}") from error


def _places(content: bytes, series: int, place: str) -> Iterator[tuple[int, int, int, int]]:
    """Of each sample of a block: where its values begin, its first series, how many it has, its time."""
    at = 0
    while at < len(content):
        if len(content) - at < _SAMPLE.size:
            raise RecordingError(f"{place} is none: it ends within a sample")
        first, count, time = _SAMPLE.unpack_from(content, at)
        if first + count > series:
            raise RecordingError(f"{place}: a sample of series {first} to {first + count} of only {series}")
        at += _SAMPLE.size
        if len(content) - at < _BYTES_A_VALUE * count:
            raise RecordingError(f"{place} is none: it ends within a sample")
        yield at, first, count, time
        at += _BYTES_A_VALUE * count


def _moved(sample: Sample, places: NDArray[np.int64]) -> Iterator[Sample]:
    """A sample cut where its series do not follow each other in the new order."""
    follow = (np.diff(places) == 1) & (places[:-1] >= 0)
    cuts = np.flatnonzero(~follow) + 1
    bounds = [0, *cuts.tolist(), len(places)]
    for start, stop in pairwise(bounds):
        if start < stop and places[start] >= 0:
            yield Sample(
                int(places[start]), sample.time, sample.values[start:stop], sample.quality[start:stop]
            )
