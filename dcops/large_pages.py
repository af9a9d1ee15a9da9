"""What a campus keeps in memory, in large pages.

A poll touches a few dozen small objects that were last touched a period ago. With pages of 4 KiB the
processor finds most of them only after it has looked up where their page is, in memory too. Linux puts
together what it is asked to, from 6.1 on; elsewhere, and where it has no large pages, nothing changes.
"""

import asyncio
import contextlib
import ctypes
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from collectors.apart import apart
from dcops.garbage import CallLater

_log = logging.getLogger(__name__)

SETTLING = (20.0, 60.0)
"""Seconds after the start: connections stand, and what reads all devices has read them a few times."""
END_SECONDS = 2.0
"""How long the end waits, at most, for what is under way; it takes a second or two."""
LARGE = 2 << 20
"""Bytes."""
LEAST = 256 << 20
"""Bytes that must be in use for it to be worth the second it takes: a small site is never that large."""
_COLLAPSE = 25
"""MADV_COLLAPSE."""
_SMAPS = Path("/proc/self/smaps")
_OURS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *(?:\[heap\])?$")
"""A mapping that is written to and neither shared nor of a file."""
_RESIDENT = re.compile(r"Rss: +(\d+) kB$")
_KIB = 1024
_USED = 0.9
"""Share of a mapping that must be in use: the rest of it takes memory, too, from then on."""


def use_large_pages(least: int = LEAST) -> int:
    """Put what is in memory now into large pages; takes a second or two, while others go on.

    Args:
        least: nothing is done where fewer bytes than this are in use.

    Returns:
        Bytes that are in large pages.
    """
    with contextlib.suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        found = list(in_use(_SMAPS.read_text("ascii", "replace")))
        if sum(end - begin for begin, end in found) >= least:
            return sum(
                LARGE
                for begin, end in found
                for page in range(-(-begin // LARGE) * LARGE, end - LARGE + 1, LARGE)
                if not advise(ctypes.c_void_p(page), ctypes.c_size_t(LARGE), _COLLAPSE)
            )
    return 0


def in_use(smaps: str) -> Iterator[tuple[int, int]]:
    """Where mappings that are ours alone and mostly in use begin and end, as ``smaps`` tells."""
    begin = end = 0
    for line in smaps.splitlines():
        if found := _OURS.match(line):
            begin, end = (int(each, 16) for each in found.groups())
        elif (found := _RESIDENT.match(line)) and end:
            if end - begin >= LARGE and int(found[1]) * _KIB >= _USED * (end - begin):
                yield begin, end
            begin = end = 0
        elif "-" in line.partition(" ")[0]:
            begin = end = 0


@contextlib.asynccontextmanager
async def gathered_as_it_settles(
    call_later: CallLater, gather: Callable[[], object] = use_large_pages
) -> AsyncIterator[None]:
    """Put what the start leaves in memory into large pages, in a thread beside the loop.

    What is under way at the end is waited for a moment and then left to itself.

    Args:
        call_later: has something called after so many seconds.
        gather: does it.
    """
    under_way: set[asyncio.Task[None]] = set()

    def begin() -> None:
        under_way.add(asyncio.create_task(_gathered(gather), name="large pages"))

    calls = [call_later(each, begin) for each in SETTLING]
    try:
        yield
    finally:
        for each in calls:
            each.cancel()
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=END_SECONDS)
            for each in late:
                each.cancel()


async def _gathered(gather: Callable[[], object]) -> None:
    try:
        await apart("large pages", gather)
    except Exception:  # noqa: BLE001 - whatever it is, all goes on in small pages
        _log.exception("memory is not put into large pages; all else goes on")
