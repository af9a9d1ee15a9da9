"""What reading devices has taught, in the data folder: one small file, replaced as a whole."""

import logging
import os
import time
from pathlib import Path

from collectors.errors import LessonsError
from collectors.lessons import Lessons

_LOG = logging.getLogger(__name__)

NAME = "lessons.json"


def open_lessons(folder: Path) -> Lessons:
    """The lessons kept in a data folder. A file that holds none is set aside, and they are learned anew."""
    path = folder / NAME
    try:
        document = path.read_bytes()
    except FileNotFoundError:
        return Lessons(lambda new: replace_file(path, new))
    except OSError as error:
        _LOG.warning("%s cannot be read, so lessons about devices are learned anew: %s", path, error)
        return Lessons(lambda new: replace_file(path, new))
    try:
        return Lessons(lambda new: replace_file(path, new), document)
    except LessonsError as error:
        _LOG.warning("lessons about devices are learned anew: %s", _set_aside(path, error))
        return Lessons(lambda new: replace_file(path, new))


def replace_file(path: Path, document: bytes) -> None:
    """Put a document in the place of another one; whoever reads sees one of them whole.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _set_aside(path: Path, error: LessonsError) -> str:
    aside = path.with_name(f"{path.stem}.unreadable-{time.time_ns()}{path.suffix}")
    try:
        path.replace(aside)
    except OSError as failure:
        return f"{path}: {error}; nor can it be set aside: {failure}"
    return f"{path}: {error}; it is set aside as {aside.name}"
