"""Parcels on the wire: what is packed is unpacked, what is damaged is not taken for readings."""

import struct

import numpy as np
import pytest

from ingest.batch import Batch, decode, encode, encode_plain, gather
from ingest.errors import BatchCorruptError, ParcelVersionError
from ingest.parcels import Parcel, Sender, pack, unpack
from tests.ingest.plant import GRID, K1_PDU, NOON, sample

SENDER = Sender(index=2, count=3, catalogue="ab" * 32, journal="0123456789abcdef" * 2)


def batch(second: int = 0) -> Batch:
    time = NOON + second
    return gather([sample(GRID, time, [1.0, 2.0]), sample(K1_PDU, time, [3.0, 4.0, 50.0])], time)


@pytest.mark.parametrize("plain", [True, False])
def test_a_parcel_comes_out_as_it_went_in(plain: bool) -> None:  # noqa: FBT001
    found = unpack(pack(Parcel(SENDER, NOON + 5, [(7, batch()), (9, batch(1))]), plain=plain))
    assert (found.sender, found.sent) == (SENDER, NOON + 5)
    assert [position for position, _ in found.entries] == [7, 9]
    second = found.entries[1][1]
    assert second.first.tolist() == [0, 2]
    assert second.count.tolist() == [2, 3]
    assert second.time.tolist() == [NOON + 1, NOON + 1]
    assert second.values.tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert second.quality.tolist() == [192] * 5


def test_the_layout_is_as_it_is_written_down() -> None:
    body = pack(Parcel(SENDER, NOON, [(7, batch())]), plain=True)
    header = struct.pack("<4sB3xHHIq", b"DCOP", 1, 2, 3, 1, NOON)
    names = bytes.fromhex("ab" * 32) + bytes.fromhex("0123456789abcdef" * 2)
    entry = b"".join(encode_plain(batch()))
    assert body == header + names + struct.pack("<QI", 7, len(entry)) + entry


def test_each_byte_that_is_changed_is_noticed_or_changes_only_who_sends() -> None:
    body = pack(Parcel(SENDER, NOON, [(7, batch())]))
    head = 72  # of those, the checksums of batches say nothing
    for at in range(head + 12, len(body)):
        damaged = bytearray(body)
        damaged[at] ^= 0x55
        if at in {head + 12 + 6, head + 12 + 7} or head + 12 + 16 <= at < head + 12 + 24:
            continue  # two bytes without meaning, and when the sender closed its second
        with pytest.raises(BatchCorruptError):
            unpack(bytes(damaged))


def test_a_parcel_that_is_cut_short_is_refused_wherever_it_is_cut() -> None:
    body = pack(Parcel(SENDER, NOON, [(7, batch()), (8, batch(1))]))
    for size in range(len(body)):
        with pytest.raises(BatchCorruptError):
            unpack(body[:size])
    with pytest.raises(BatchCorruptError):
        unpack(body + b"x")


def test_another_version_is_told_from_damage() -> None:
    body = bytearray(pack(Parcel(SENDER, NOON, [(7, batch())])))
    body[4] = 2
    with pytest.raises(ParcelVersionError, match="version 2"):
        unpack(bytes(body))


def test_a_batch_that_would_swell_is_refused_before_it_does() -> None:
    swollen = Batch(
        NOON,
        np.array([0], np.uint32),
        np.array([1_000_000], np.uint32),
        np.array([NOON], np.int64),
        np.zeros(1_000_000),
        np.zeros(1_000_000, np.uint8),
    )
    data = bytearray(encode(swollen))
    assert len(data) < 50_000
    data[8:16] = struct.pack("<II", 1, 2)  # it says it holds one sample of two points
    with pytest.raises(BatchCorruptError, match="has 35 bytes"):
        decode(bytes(data))
