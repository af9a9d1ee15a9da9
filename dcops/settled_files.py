"""Reading files that somebody may be writing at this moment: nothing is made of half of them."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from dcops.site_file import LoadedSite, SiteProblems

QUIET = 0.25
"""Seconds that files have to stay as they are to count as written."""
PATIENCE = 10.0
"""Seconds after which files that change again and again are given up."""

MadeT = TypeVar("MadeT", bound=object)

_Stamp = tuple[int, int, int]
_Stamps = dict[Path, _Stamp | None]


class FilesChangingError(Exception):
    """Files go on changing while they are read; the message names one."""


def read_settled(
    read: Callable[[], LoadedSite],
    known: Iterable[Path],
    make: Callable[[LoadedSite], MadeT],
    *,
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    now: Callable[[], int] = time.time_ns,
) -> tuple[LoadedSite, MadeT]:
    """The site and what is made of it, of files that did not change while they were read and a moment after.

    Args:
        read: reads them all.
        known: the files of the site as it was read before.
        make: makes it, while the moment passes; what is made of files that changed after all is thrown away.
        wait: waits so many seconds.
        monotonic: seconds.
        now: ns, as files are stamped.

    Raises:
        SiteProblems: it has mistakes, and nobody is writing.
        FilesChangingError: the files do not settle.
    """
    began, files = monotonic(), tuple(known)
    while True:
        at, before = monotonic(), _stamps(files)
        site, problems = _try(read)
        if site is not None:
            files = site.files
        after = _stamps(files)
        made = make(site) if site is not None else None
        if _is_fresh(after, now()):
            wait(max(0.0, at + QUIET - monotonic()))
        settled = _stamps(files)
        changed = [
            path for path in files if not before.get(path, after[path]) == after[path] == settled[path]
        ]
        if not changed and site is not None and made is not None:
            return site, made
        if not changed and problems is not None:
            raise problems
        if monotonic() - began > PATIENCE:
            raise FilesChangingError(f"{changed[0]} is being written: it changed again while it was read")


def _try(read: Callable[[], LoadedSite]) -> tuple[LoadedSite | None, SiteProblems | None]:
    try:
        return read(), None
    except SiteProblems as problems:
        return None, problems


def _stamps(files: Iterable[Path]) -> _Stamps:
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> _Stamp | None:
    """What another file of the name would have otherwise; None if there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_ino, info.st_size, info.st_mtime_ns


def _is_fresh(stamps: _Stamps, now: int) -> bool:
    """Whether one was written just now."""
    return any(each is not None and abs(now - each[2]) < QUIET * 1e9 for each in stamps.values())
