"""What is in use goes into large pages, where the kernel has them, and stays what it is."""

import asyncio
import ctypes
import mmap
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcops.large_pages import LARGE, gathered_as_it_settles, in_use, use_large_pages
from tests.collectors.conftest import until

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


class Later:
    """Calls that are to come, by seconds after the start."""

    def __init__(self) -> None:
        self.calls: dict[float, Callable[[], None]] = {}
        self.cancelled: list[float] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> SimpleNamespace:
        self.calls[seconds] = call
        return SimpleNamespace(cancel=lambda: self.cancelled.append(seconds))


async def test_it_is_done_in_a_thread_twice_as_the_start_settles_and_not_after_the_end() -> None:
    later, threads = Later(), []
    async with gathered_as_it_settles(later, lambda: threads.append(threading.current_thread())):
        assert list(later.calls) == [20.0, 60.0]
        later.calls[20.0]()
        assert later.cancelled == []
    assert later.cancelled == [20.0, 60.0]
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_the_end_waits_for_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcops.large_pages.END_SECONDS", 60.0)
    later, begun, go_on, done = Later(), threading.Event(), threading.Event(), []

    def gather() -> None:
        begun.set()
        assert go_on.wait(60)
        done.append(True)

    async with gathered_as_it_settles(later, gather):
        later.calls[20.0]()
        await until(begun.is_set)
        asyncio.get_running_loop().call_soon(go_on.set)
    assert done == [True]


async def test_the_end_waits_no_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcops.large_pages.END_SECONDS", 0.01)
    later, go_on, threads = Later(), threading.Event(), []

    def gather() -> None:
        threads.append(threading.current_thread())
        go_on.wait()

    try:
        async with asyncio.timeout(60.0), gathered_as_it_settles(later, gather):
            later.calls[20.0]()
            await until(lambda: len(threads) == 1)
    finally:
        go_on.set()
    assert threads[0].daemon, "nor does the process wait for it"


async def test_a_failure_is_told_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    later = Later()

    def gather() -> None:
        raise ValueError("smaps in another form")

    async with gathered_as_it_settles(later, gather):
        later.calls[20.0]()
    assert "memory is not put into large pages" in caplog.text
    assert "smaps in another form" in caplog.text
