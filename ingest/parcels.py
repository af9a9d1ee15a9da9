"""A parcel: batches on their way from a process that collects to the head, and who sends them, as bytes.

Layout, little endian: ``DCOP``, version u8, 3 zero bytes, sender's share u16 of u16, entries u32, sent i64
(ns), digest of the catalogue (32 bytes), identity of the sender's journal (16 bytes); then for each entry its
position u64, its length u32 and that many bytes of ``ingest.batch``, each with a checksum of its own.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.batch import Batch, decode, encode, encode_plain
from ingest.errors import BatchCorruptError, ParcelVersionError

VERSION = 1

_MAGIC = b"DCOP"
_HEADER = struct.Struct("<4sB3xHHIq32s16s")
_ENTRY = struct.Struct("<QI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who collects: one share of a site's endpoints."""

    index: int
    """From 1."""
    count: int
    catalogue: str
    """Digest of the catalogue that point indices count over, in hex."""
    journal: str
    """Identity of what positions count in, in hex."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Batches by their positions in the sender's journal."""

    sender: Sender
    sent: int
    """By the sender's clock, ns UTC."""
    entries: Sequence[tuple[int, Batch]]


def pack(parcel: Parcel, *, plain: bool = False) -> bytes:
    """The bytes of a parcel; plain ones are made sooner, and are for this machine."""
    sender = parcel.sender
    header = _HEADER.pack(
        _MAGIC,
        VERSION,
        sender.index,
        sender.count,
        len(parcel.entries),
        parcel.sent,
        bytes.fromhex(sender.catalogue),
        bytes.fromhex(sender.journal),
    )
    parts = [header]
    for position, batch in parcel.entries:
        body = b"".join(encode_plain(batch)) if plain else encode(batch)
        parts += (_ENTRY.pack(position, len(body)), body)
    return b"".join(parts)


def unpack(data: bytes) -> Parcel:
    """The parcel in these bytes.

    Raises:
        ParcelVersionError: another version of dcops wrote it.
        BatchCorruptError: the bytes are damaged.
    """
    if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
        raise BatchCorruptError(f"no parcel of readings: {len(data)} bytes that start with {data[:4]!r}")
    _, version, index, count, entries, sent, catalogue, journal = _HEADER.unpack_from(data)
    if version != VERSION:
        raise ParcelVersionError(f"a parcel of version {version}, and version {VERSION} is understood here")
    found: list[tuple[int, Batch]] = []
    at = _HEADER.size
    for _ in range(entries):
        if at + _ENTRY.size > len(data):
            raise BatchCorruptError(f"a parcel of {entries} batches ends after {len(found)}")
        position, size = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        found.append((position, decode(data[at : at + size])))
        at += size
    if at != len(data):
        raise BatchCorruptError(f"a parcel of {entries} batches is {len(data)} bytes long and not {at}")
    sender = Sender(index=index, count=count, catalogue=catalogue.hex(), journal=journal.hex())
    return Parcel(sender, sent, found)
