"""A batch: what one tick accepted, as arrays, and the bytes it is kept as.

Layout, little endian: ``DCOB``, version u8, codec u8 (0 plain, 1 zlib), 2 zero bytes, samples u32,
points u32, accepted i64 (ns), CRC-32 of the body u32, then the body: first u32[samples],
count u32[samples], time i64[samples], quality u8[points], values f64[points] by byte plane. Planes put the
bytes that hardly differ next to each other, which is what makes compression cheap and good.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from facility.quality import Quality, QualityArray
from facility.sample import Sample, Scans
from ingest.errors import BatchCorruptError

VERSION = 1

_MAGIC = b"DCOB"
_HEADER = struct.Struct("<4sBB2xIIqI")
_PLAIN, _ZLIB = 0, 1
_LEVEL = 1
_SAMPLE_BYTES = 4 + 4 + 8
_POINT_BYTES = 1 + 8

Buffer = bytes | memoryview
"""Bytes, one after the other."""


@dataclass(frozen=True, slots=True)
class PointReadings:
    """A batch point by point: arrays of one length."""

    points: NDArray[np.uint32]
    """Point indices in the batch's catalogue."""
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    quality: QualityArray


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples end to end; indices count over one catalogue, which whoever holds the batch knows."""

    accepted: int
    """When the tick closed, ns UTC."""
    first: NDArray[np.uint32]
    """Shape (samples,): index of each sample's first point."""
    count: NDArray[np.uint32]
    """Shape (samples,): how many points each has."""
    time: NDArray[np.int64]
    """Shape (samples,), ns UTC."""
    values: NDArray[np.float64]
    """Shape (points,)."""
    quality: QualityArray
    """Shape (points,)."""
    number: int = 0
    """Counted from 1 by the tick since its start; not kept: 0 of a batch read back."""
    whole: bool = True
    """False if the tick had to leave out some of what it accepted; not kept either."""
    notes: tuple[tuple[str, bytes], ...] = ()
    """(name, note) to be journalled with it: see ``ingest.journal_notes``; not part of its bytes."""

    @property
    def point_count(self) -> int:
        """How many readings it holds."""
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return _SAMPLE_BYTES * len(self.first) + _POINT_BYTES * self.point_count

    @property
    def starts(self) -> NDArray[np.int64]:
        """Shape (samples,): where in ``values`` each begins."""
        return np.cumsum(self.count, dtype=np.int64) - self.count

    def samples(self) -> Iterator[Sample]:
        """One by one; their arrays are views."""
        runs = zip(
            self.first.tolist(), self.starts.tolist(), self.count.tolist(), self.time.tolist(), strict=True
        )
        for first, start, count, time in runs:
            yield Sample(first, time, self.values[start : start + count], self.quality[start : start + count])

    def chosen(self, which: NDArray[np.bool_]) -> "Batch":
        """A batch of some of its samples: shape (samples,)."""
        points = np.repeat(which, self.count)
        return Batch(
            self.accepted,
            self.first[which],
            self.count[which],
            self.time[which],
            self.values[points],
            self.quality[points],
        )

    @property
    def overlaps(self) -> bool:
        """Whether a point is in more than one of its samples."""
        _, apart = self._by_place()
        return not apart.all()

    def rounds(self) -> Iterator["Batch"]:
        """Its samples in rounds: of those that have points in common the oldest comes in the first round, the
        next one in the second, and so on. No point is twice in a round.
        """
        group, place = self._groups(), np.arange(len(self.first))
        order = np.lexsort((self.time, group))
        begins = np.diff(group[order], prepend=-1) != 0
        turn = place - np.maximum.accumulate(np.where(begins, place, 0))
        order = order[np.argsort(turn, kind="stable")]
        ends = np.cumsum(np.bincount(turn))
        ordered = self._ordered(order)
        for begin, end in zip((ends - np.bincount(turn)).tolist(), ends.tolist(), strict=True):
            yield ordered.part(begin, end)

    def _groups(self) -> NDArray[np.int64]:
        """Shape (samples,): the same number for all that overlap, directly or by others."""
        order, apart = self._by_place()
        group = np.zeros(len(order), np.int64)
        group[order[1:]] = np.cumsum(apart)
        return group

    def _by_place(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Its samples in the order of their points, and which of them, but for the first, have no point in
        common with any before.
        """
        order = np.argsort(self.first, kind="stable")
        firsts = self.first[order].astype(np.int64)
        reach = np.maximum.accumulate(firsts + self.count[order])
        return order, firsts[1:] >= reach[:-1]

    def _ordered(self, order: NDArray[np.int64]) -> "Batch":
        """Its samples in another order."""
        count = self.count[order].astype(np.int64)
        moved = np.repeat(self.starts[order] - (np.cumsum(count) - count), count)
        points = np.arange(self.point_count) + moved
        columns = self.first[order], self.count[order], self.time[order]
        return Batch(self.accepted, *columns, self.values[points], self.quality[points])

    def part(self, begin: int, end: int) -> "Batch":
        """Those of its samples from one to before another."""
        own, before = slice(begin, end), int(self.count[:begin].sum(dtype=np.int64))
        points = slice(before, before + int(self.count[own].sum(dtype=np.int64)))
        columns = self.first[own], self.count[own], self.time[own]
        return Batch(self.accepted, *columns, self.values[points], self.quality[points])

    def beginning(self, points: int) -> "Batch":
        """As many of its first samples as have no more than so many points together."""
        ends = np.cumsum(self.count, dtype=np.int64)
        return self.part(0, int(np.searchsorted(ends, points, side="right")))

    def expand(self) -> PointReadings:
        """The same, one entry a reading."""
        within = np.arange(self.point_count, dtype=np.int64) - np.repeat(self.starts, self.count)
        points = (np.repeat(self.first, self.count) + within).astype(np.uint32)
        return PointReadings(points, np.repeat(self.time, self.count), self.values, self.quality)


def gather(
    samples: Sequence[Sample | Scans | Batch], accepted: int, number: int = 0, *, whole: bool = True
) -> Batch:
    """One batch of many samples, in their order."""
    firsts: list[int] = []
    counts: list[int] = []
    times: list[int] = []
    for each in samples:
        if isinstance(each, Scans):
            firsts += each.firsts
            counts += [each.values.shape[1]] * len(each.firsts)
            times += each.times
        elif isinstance(each, Batch):
            firsts += each.first.tolist()
            counts += each.count.tolist()
            times += each.time.tolist()
        else:
            firsts.append(each.first)
            counts.append(each.values.shape[0])
            times.append(each.time)
    return Batch(
        accepted,
        np.array(firsts, dtype=np.uint32),
        np.array(counts, dtype=np.uint32),
        np.array(times, dtype=np.int64),
        np.concatenate([np.empty(0), *(each.values.reshape(-1) for each in samples)]),
        np.concatenate([np.empty(0, dtype=np.uint8), *_codes(samples)]),
        number,
        whole,
    )


def _codes(samples: Sequence[Sample | Scans | Batch]) -> Iterator[QualityArray]:
    """The quality of each one's values, flat; what is all good shares one array."""
    good = np.full(max((each.values.size for each in samples), default=0), Quality.GOOD, np.uint8)
    for each in samples:
        yield good[: each.values.size] if each.quality is None else each.quality.reshape(-1)


def encode(batch: Batch) -> bytes:
    """The bytes of a batch."""
    body = isal_zlib.compress(b"".join(_body(batch)), _LEVEL)
    return _header(batch, _ZLIB, isal_zlib.crc32(body)) + body


def encode_plain(batch: Batch) -> list[Buffer]:
    """The same bytes, plain and in parts: of a million readings each copy takes 10 ms."""
    parts = _body(batch)
    checksum = 0
    for part in parts:
        checksum = isal_zlib.crc32(part, checksum)
    return [_header(batch, _PLAIN, checksum), *parts]


def _body(batch: Batch) -> list[Buffer]:
    planes = np.ascontiguousarray(batch.values, dtype="<f8").view(np.uint8).reshape(-1, 8).T
    columns = (
        batch.first.astype("<u4"),
        batch.count.astype("<u4"),
        batch.time.astype("<i8"),
        np.ascontiguousarray(batch.quality),
        np.ascontiguousarray(planes),
    )
    return [column.data.cast("B") if column.size else b"" for column in columns]


def _header(batch: Batch, codec: int, checksum: int) -> bytes:
    samples, points = batch.first.shape[0], batch.point_count
    return _HEADER.pack(_MAGIC, VERSION, codec, samples, points, batch.accepted, checksum)


def decode(data: bytes) -> Batch:
    """The batch in these bytes.

    Raises:
        BatchCorruptError: they are not what ``encode`` wrote; the message says in which way.
    """
    if len(data) < _HEADER.size:
        raise BatchCorruptError(f"a batch of {len(data)} bytes is shorter than its header")
    magic, version, codec, samples, points, accepted, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != VERSION or codec not in {_PLAIN, _ZLIB}:
        raise BatchCorruptError(f"no batch of version {VERSION}: starts with {data[:6]!r}")
    body = data[_HEADER.size :]
    if isal_zlib.crc32(body) != checksum:
        raise BatchCorruptError(f"checksum of a batch of {points} points does not match")
    size = samples * _SAMPLE_BYTES + points * _POINT_BYTES
    body = _plain(body, size) if codec == _ZLIB else body
    if len(body) != size:
        raise BatchCorruptError(f"a batch of {samples} samples, {points} points has {len(body)} bytes")
    return _unpack(body, samples, points, accepted)


def _plain(body: bytes, size: int) -> bytes:
    """The body decompressed; of one that holds more than ``size`` bytes hardly more than those."""
    try:
        return isal_zlib.decompressobj().decompress(body, size + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # it is a class, whatever its stub says
        raise BatchCorruptError(f"a batch does not decompress: {error}") from error


def _unpack(body: bytes, samples: int, points: int, accepted: int) -> Batch:
    first = np.frombuffer(body, "<u4", samples)
    count = np.frombuffer(body, "<u4", samples, 4 * samples)
    if int(count.sum()) != points:
        raise BatchCorruptError(f"samples hold {int(count.sum())} points, the header says {points}")
    quality = np.frombuffer(body, np.uint8, points, _SAMPLE_BYTES * samples)
    planes = np.frombuffer(body, np.uint8, 8 * points, _SAMPLE_BYTES * samples + points)
    values = np.ascontiguousarray(planes.reshape(8, points).T).view("<f8").reshape(points)
    return Batch(accepted, first, count, np.frombuffer(body, "<i8", samples, 8 * samples), values, quality)
