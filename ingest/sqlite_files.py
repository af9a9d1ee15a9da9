"""A SQLite file and what lies beside it on the disk, whoever has it open."""

import contextlib
import fcntl
from pathlib import Path

Identity = tuple[int, int]
"""Tells a file from all others there are, whatever it is called."""

_LOCKED = (510, 0x4000_0002)
"""How many bytes from where on SQLite locks of a file that it writes."""
_SIDE_FILES = ("", "-wal", "-shm")


def log_of(path: Path) -> Path:
    """The write-ahead log of a file."""
    return Path(f"{path}-wal")


def identity(path: Path) -> Identity | None:
    """Of the file of that name; None if there is none."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    return info.st_dev, info.st_ino


def is_held(path: Path) -> bool:
    """Whether another process holds a file as a journal is held: it has locked what SQLite locks of it."""
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, *_LOCKED)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def rename(path: Path, name: Path) -> None:
    """Give a file another name, with all that lies beside it."""
    for suffix in _SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{name}{suffix}")


def remove(path: Path) -> None:
    """Remove a file and all that lies beside it."""
    for suffix in _SIDE_FILES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)
