"""What is in use goes into large pages, where the kernel has them, and stays what it is."""

import asyncio
import ctypes
import mmap
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from dcops.large_pages import LARGE, gathered_as_it_settles, in_use, use_large_pages

SIZE = 16 * LARGE


@pytest.fixture(scope="module")
def _needs_large_pages() -> None:
    room = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    room.write(b"\1" * SIZE)
    try:
        room.madvise(25)
    except OSError:
        pytest.skip("this kernel makes no large pages when asked")


def in_large_pages(room: mmap.mmap) -> int:
    """Bytes of the mapping that a room lies in, as the kernel tells."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for mapping in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text("ascii")):
        span = re.match(r"([0-9a-f]+)-([0-9a-f]+)", mapping)
        if span and int(span[1], 16) <= address < int(span[2], 16):
            found = re.search(r"(?m)^AnonHugePages: +(\d+) kB", mapping)
            assert found
            return int(found[1]) * 1024
    raise AssertionError(f"{address:x} is in no mapping")


@pytest.mark.usefixtures("_needs_large_pages")
def test_what_is_in_use_is_put_together_and_unchanged() -> None:
    room = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    content = bytes(range(256)) * (SIZE // 256)
    room.write(content)
    before = in_large_pages(room)
    assert use_large_pages(1 << 50) == 0, "there is too little to be worth it"
    assert in_large_pages(room) == before
    assert use_large_pages(LARGE) >= SIZE - LARGE
    assert in_large_pages(room) - before >= SIZE - LARGE
    room.seek(0)
    assert room.read() == content


def test_only_mappings_of_our_own_that_are_mostly_in_use() -> None:
    told = """\
5600a0000000-5600a1000000 rw-p 00000000 00:00 0                          [heap]
Size:              16384 kB
Rss:               16000 kB
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Size:               4096 kB
Rss:                4096 kB
VmFlags: rd wr mr mw me ac sd
7f0001000000-7f0001800000 rw-p 00000000 00:00 0
Rss:                 120 kB
7f0002000000-7f0002100000 rw-p 00000000 00:00 0
Rss:                1024 kB
7f0003000000-7f0003400000 r-xp 00000000 00:00 0
Rss:                4096 kB
7f0004000000-7f0004400000 rw-s 00000000 00:01 1034                       /dev/zero (deleted)
Rss:                4096 kB
7f0005000000-7f0005400000 rw-p 00003000 fe:00 7789                       /usr/lib/libpython3.11.so
Rss:                4096 kB
7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0                          [stack]
Rss:                4096 kB
"""
    assert list(in_use(told)) == [
        (0x5600A0000000, 0x5600A1000000),
        (0x7F0000000000, 0x7F0000400000),
    ]


def test_it_is_done_in_a_thread_twice_as_the_start_settles_and_not_after_the_end() -> None:
    calls: dict[float, Callable[[], None]] = {}
    cancelled: list[float] = []
    handed: list[object] = []

    class Loop:
        def run_in_executor(self, executor: None, work: object) -> None:
            handed.append((executor, work))

        def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
            calls[seconds] = call
            return cast("asyncio.TimerHandle", SimpleNamespace(cancel=lambda: cancelled.append(seconds)))

    with gathered_as_it_settles(cast("asyncio.AbstractEventLoop", Loop())):
        assert list(calls) == [20.0, 60.0]
        calls[20.0]()
        assert handed == [(None, use_large_pages)]
        assert cancelled == []
    assert cancelled == [20.0, 60.0]
