"""The file a table of hot rows is kept in: one frame for each write, appended and made durable.

A frame, little endian: ``DCOH``, version u8, 3 zero bytes, length of the head u32, length of the body u32,
CRC-32 of the head u32; the head as JSON (journal, ranges of positions); the body as ``ingest.batch`` encodes
it, plain, its indices being numbers of series. A frame that was not written whole is at the end and was never
acknowledged; it is cut off. Others that are damaged are passed over.
"""

import contextlib
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.batch import Batch, Buffer, decode, encode_plain
from ingest.durable import make_durable
from ingest.errors import BatchCorruptError
from ingest.positions import Ranges
from ingest.stores.history.levels import MILLISECOND
from ingest.stores.history.runs import Runs, made

_log = logging.getLogger(__name__)

_MAGIC, _VERSION = b"DCOH", 1
_HEADER = struct.Struct("<4sB3xIII")


@dataclass(frozen=True, slots=True)
class Frame:
    """What one write brought."""

    journal: str
    """Of the entries; empty if these are rows of another table."""
    positions: Ranges
    runs: Runs


class HotLog:
    """One such file, open for appending once something was appended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def size(self) -> int:
        """Bytes of the file; 0 if there is none yet."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_removed(self) -> bool:
        """Whether somebody has removed the file while it is open: what is appended would be gone with it."""
        return self._handle is not None and not os.fstat(self._handle).st_nlink

    def append(self, frame: Frame) -> None:
        """Keep a frame for good.

        Raises:
            OSError: it is not there, or in part: read the file anew.
        """
        if self._handle is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            make_durable(self.path.parent)
        runs = frame.runs
        batch = Batch(0, runs.first, runs.count, runs.time * MILLISECOND, runs.value, runs.quality)
        body = encode_plain(batch)
        head = json.dumps([frame.journal, frame.positions]).encode()
        start = _HEADER.pack(_MAGIC, _VERSION, len(head), sum(map(len, body)), zlib.crc32(head))
        size = os.fstat(self._handle).st_size
        try:
            _write(self._handle, (start + head, *body))
            os.fdatasync(self._handle)
        except OSError:
            # Seen again it would be taken for written, and a second attempt to make it durable may lie.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, size)
            raise

    def read(self) -> list[Frame]:
        """All frames, oldest first; a torn end is cut off.

        Raises:
            OSError: it can't be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        frames, at, sound = [], 0, 0
        for begin, end, frame in _frames(data):
            if begin > at:
                _log.error("history: %d bytes of newest readings are damaged in %s", begin - at, self.path)
            frames.append(frame)
            at = sound = end
        if sound < len(data):
            _log.warning("history: an unfinished write of %d bytes is left out", len(data) - sound)
            with self.path.open("r+b") as file:
                file.truncate(sound)
                os.fsync(file.fileno())
        return frames

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _write(handle: int, parts: Sequence[Buffer]) -> None:
    """All of them; not joined before, for they may be many megabytes."""
    rest = [memoryview(part) for part in parts if part]
    while rest:
        done = os.writev(handle, rest)
        while rest and done >= len(rest[0]):
            done -= len(rest.pop(0))
        if done:
            rest[0] = rest[0][done:]


def _frames(data: bytes) -> Iterator[tuple[int, int, Frame]]:
    """Where each whole frame begins and ends, and what it is."""
    at = 0
    while (at := data.find(_MAGIC, at)) >= 0:
        found = _frame(data, at)
        if found is None:
            at += 1
            continue
        end, frame = found
        yield at, end, frame
        at = end


def _frame(data: bytes, at: int) -> tuple[int, Frame] | None:
    if len(data) - at < _HEADER.size:
        return None
    _, version, head_size, body_size, checksum = _HEADER.unpack_from(data, at)
    begin = at + _HEADER.size
    end = begin + head_size + body_size
    head = data[begin : begin + head_size]
    if version != _VERSION or end > len(data) or zlib.crc32(head) != checksum:
        return None
    try:
        batch = decode(data[begin + head_size : end])
    except BatchCorruptError:
        return None
    journal, positions = json.loads(head)
    time = batch.time // MILLISECOND
    runs = made(batch.first, batch.count, time, batch.values, np.array(batch.quality))
    return end, Frame(journal, tuple((first, last) for first, last in positions), runs)
