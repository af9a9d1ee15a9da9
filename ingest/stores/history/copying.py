"""What keeps a copy from being written, told apart from what is wrong with the history it is of."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from ingest.errors import HistoryCopyError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR)
_FULL_TEXTS = tuple(os.strerror(number) for number in _FULL)
"""How DuckDB ends what it says of a full disk, whatever it was about."""


@contextlib.contextmanager
def writing(part: Path, target: Path) -> Iterator[None]:
    """Write ``part``, which is to become ``target``.

    Raises:
        HistoryCopyError: that cannot be done. What DuckDB says of other files is the history's trouble, and
            is left as it is.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.filename2 or error.filename or part}: {error.strerror}"
        if error.errno in _IN_THE_WAY:
            told = f"{target}: {reason}; a file is where its folder should be: give the path of a folder"
            raise HistoryCopyError(told) from error
        raise _no_copy(target, reason, is_full=error.errno in _FULL) from error
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        if part.name not in reason:
            raise
        raise _no_copy(target, reason, is_full=any(text in reason for text in _FULL_TEXTS)) from error


def _no_copy(target: Path, reason: str, *, is_full: bool) -> HistoryCopyError:
    if is_full:
        return HistoryCopyError(f"{target}: the disk is full; free some space, or give another place")
    return HistoryCopyError(f"{target}: {reason}; make its folder writable, or give another one")
