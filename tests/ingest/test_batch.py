"""The bytes of a batch: what goes in comes out, and nothing else ever does."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ingest.batch import Batch, decode, encode, encode_plain, gather
from ingest.errors import BatchCorruptError
from tests.ingest.plant import NOON, sample

NAN = float("nan")
HEADER = 28
"""Bytes."""


def example() -> Batch:
    return gather([sample(7, 5, [1.0, NAN], [192, 24]), sample(0, -3, [2.5])], NOON)


def plain(batch: Batch) -> bytes:
    return b"".join(encode_plain(batch))


def assert_equal(one: Batch, other: Batch) -> None:
    assert one.accepted == other.accepted
    for name in ("first", "count", "time", "values", "quality"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


def test_layout_is_the_documented_one() -> None:
    body = b"".join(
        (
            struct.pack("<II", 7, 0),
            struct.pack("<II", 2, 1),
            struct.pack("<qq", 5, -3),
            bytes([192, 24, 192]),
            # 1.0, NaN, 2.5 by byte plane, least significant first
            bytes(18),
            bytes([0xF0, 0xF8, 0x04]),
            bytes([0x3F, 0x7F, 0x40]),
        )
    )
    assert plain(example()) == (
        struct.pack("<4sBBHIIqI", b"DCOB", 1, 0, 0, 2, 3, NOON, zlib.crc32(body)) + body
    )


def test_what_is_compressed_is_the_same_body_as_zlib_reads_it() -> None:
    data = encode(example())
    *start, checksum = struct.unpack("<4sBBHIIqI", data[:HEADER])
    assert start == [b"DCOB", 1, 1, 0, 2, 3, NOON]
    assert checksum == zlib.crc32(data[HEADER:])
    assert zlib.decompress(data[HEADER:]) == plain(example())[HEADER:]


def test_what_zlib_has_compressed_is_read() -> None:
    body = zlib.compress(plain(example())[HEADER:], 9)
    head = struct.pack("<4sBBHIIqI", b"DCOB", 1, 1, 0, 2, 3, NOON, zlib.crc32(body))
    assert_equal(decode(head + body), example())


@pytest.mark.parametrize("write", [encode, plain])
def test_what_goes_in_comes_out(write: Callable[[Batch], bytes]) -> None:
    assert_equal(decode(write(example())), example())


def test_an_empty_batch_is_one_too() -> None:
    empty = gather([], NOON)
    assert_equal(decode(encode(empty)), empty)
    assert empty.expand().points.tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_any_numbers_survive_bit_by_bit(seed: int) -> None:
    noise = np.random.default_rng(seed)
    values = np.frombuffer(noise.bytes(8 * 50), dtype=np.float64)  # every kind of NaN and denormal too
    made = replace(gather([sample(seed, seed, [0.0] * 50, 216)], NOON), values=values)
    assert decode(encode(made)).values.tobytes() == values.tobytes()


def test_expanded_to_readings() -> None:
    readings = example().expand()
    assert readings.points.tolist() == [7, 8, 0]
    assert readings.points.dtype == np.uint32
    assert readings.times.tolist() == [5, 5, -3]
    assert readings.quality.tolist() == [192, 24, 192]


@pytest.mark.parametrize("at", [0, 3, 4, 5, 8, 12, 24, 27, 28, 35, 44, 50, 62])
def test_any_changed_byte_is_noticed(at: int) -> None:
    data = bytearray(encode(example()))
    data[at] ^= 0x40
    with pytest.raises(BatchCorruptError):
        decode(bytes(data))


@pytest.mark.parametrize("length", [0, 10, 27, 40])
def test_cut_short_is_noticed(length: int) -> None:
    with pytest.raises(BatchCorruptError):
        decode(encode(example())[:length])


def test_samples_that_do_not_add_up_to_the_points_are_noticed() -> None:
    wrong = replace(example(), count=np.array([2, 2], dtype=np.uint32))
    with pytest.raises(BatchCorruptError, match="samples hold 4 points, the header says 3"):
        decode(encode(wrong))


def test_random_bytes_are_no_batch() -> None:
    with pytest.raises(BatchCorruptError, match="no batch of version 1"):
        decode(np.random.default_rng(3).bytes(500))
