"""Files of raw frames: JSON lines, made to be read by people and by ``grep``.

The first line tells what was recorded::

    {"dcops_frames": 1, "protocol": "modbus-tcp", "target": "10.0.0.5:502", "started": "2026-01-15T12:00:00Z"}

Each further line is one frame, in the order they went over the wire::

    {"at": 1200300, "link": 1, "kind": "request", "no": 1, "hex": "000100000006030300000012"}
    {"at": 8100400, "link": 1, "kind": "reply", "no": 1, "hex": "0001000000270303..."}

``at`` counts nanoseconds from the start, on a clock that is never set; ``link`` the connections of the
collector. A reply bears the ``no`` of its request. The other kinds are in ``Kind``.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Self, TextIO

import orjson

from simulators.errors import RecordingError
from simulators.wire.framing import Framing, Mbap, Rtu

VERSION = 1
_KEY = "dcops_frames"
_LONGEST_LINE = 1 << 20

FRAMINGS: dict[str, Framing] = {"modbus-tcp": Mbap(), "modbus-rtu-tcp": Rtu()}
"""The protocols that can be recorded and replayed."""


class Kind(StrEnum):
    """What a line of a recording is."""

    REQUEST = "request"
    REPLY = "reply"
    """Of a device, to the request of the same number."""
    ORPHAN = "orphan"
    """A frame of a device that answers no request, or could answer several: late, double, foreign."""
    REFUSED = "refused"
    """A request that was not let through because it is no read."""
    NOISE = "noise"
    """Bytes of a device that are no frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """What a recording is of."""

    protocol: str
    """A key of ``FRAMINGS``."""
    target: str
    """``host:port`` of the devices."""
    started: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLine:
    """One line of a recording."""

    at: int
    """Nanoseconds since the start."""
    link: int
    kind: Kind
    number: int
    """Of the request; 0 where there is none."""
    raw: bytes
    place: str
    """File and line, for messages."""


class Room:
    """How many bytes may still be written, over all files of a recording."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.taken = 0

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes, which are then taken."""
        if size > self.left:
            self.left = 0
            return False
        self.left -= size
        self.taken += size
        return True


class FrameWriter:
    """Writes a recording as it comes.

    ``ended`` is called, once, when nothing more can be written: the room is used up, or the disk says no.
    That may be while it is made.
    """

    def __init__(
        self,
        path: Path,
        header: FrameHeader,
        room: Room,
        *,
        ended: Callable[[OSError | None], None],
        overwrite: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Creates the file.

        Args:
            path: of the file.
            header: its first line.
            room: what may be written.
            ended: told the error of the disk, or None if the room is used up.
            overwrite: whether a file that is there may be replaced.
            clock: nanoseconds of a clock that is never set.

        Raises:
            FileExistsError: there is a file and ``overwrite`` is not given.
            OSError: it cannot be made.
        """
        self._path = path
        self._file: TextIO = path.open("w" if overwrite else "x", encoding="ascii")
        self._room = room
        self._ended = ended
        self._clock = clock
        self._began = clock()
        self._closed = False
        self._put(
            {
                _KEY: VERSION,
                "protocol": header.protocol,
                "target": header.target,
                "started": header.started,
            }
        )
        self.flush()

    def write(self, kind: Kind, link: int, number: int, raw: bytes) -> None:
        """One line more; does nothing once there is no room."""
        self._put(
            {"at": self._clock() - self._began, "link": link, "kind": kind, "no": number, "hex": raw.hex()}
        )

    def flush(self) -> None:
        """Brings what is buffered to the file."""
        if not self._closed:
            self._guarded(self._file.flush)

    def close(self) -> None:
        """Brings everything to the disk.

        Raises:
            OSError: it cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._named(error) from None

    def _put(self, line: dict[str, object]) -> None:
        if self._closed:
            return
        text = orjson.dumps(line).decode() + "\n"
        if self._room.take(len(text)):
            self._guarded(lambda: self._file.write(text))
        else:
            self._end(None)

    def _guarded(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError | None) -> None:
        self._closed = True
        try:
            self._file.close()
        except OSError as closing:
            error = error or closing
        self._ended(self._named(error) if error is not None else None)

    def _named(self, error: OSError) -> OSError:
        """The error with the name of the file, which a failed write does not bear."""
        error.filename = str(self._path)
        return error


@dataclass(frozen=True, slots=True)
class FrameRecording:
    """A recording in memory."""

    path: Path
    header: FrameHeader
    lines: tuple[FrameLine, ...]

    @property
    def framing(self) -> Framing:
        """How its frames lie on the wire."""
        return FRAMINGS[self.header.protocol]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recording in a file. A last line that is torn, as after a crash, is left out.

        Raises:
            RecordingError: it is not a recording of frames, or a line of it is wrong; with file and line.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            first = file.readline(_LONGEST_LINE)
            header = _header(first, path)
            lines = tuple(_lines(file.read(), path))
        return cls(path, header, lines)


def now_text() -> str:
    """The time of day for a header."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _header(line: bytes, path: Path) -> FrameHeader:
    place = f"{path}:1"
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordingError(
            f"{place}: not a recording of frames: the first line is not JSON; 'dcops record' writes them"
        ) from error
    if not isinstance(found, dict) or _KEY not in found:
        what = (
            "a recording of samples, for 'dcops simulate --replay'" if _is_samples(found) else "no recording"
        )
        raise RecordingError(f"{place}: this is {what}; 'dcops record' writes recordings of frames")
    if found[_KEY] != VERSION:
        raise RecordingError(f"{place}: a recording of version {found[_KEY]!r}; this reads version {VERSION}")
    protocol = found.get("protocol")
    if protocol not in FRAMINGS:
        raise RecordingError(f"{place}: protocol {protocol!r} is none of {', '.join(FRAMINGS)}")
    return FrameHeader(
        protocol=protocol, target=str(found.get("target", "")), started=str(found.get("started", ""))
    )


def _is_samples(found: object) -> bool:
    return isinstance(found, dict) and "dcops_recording" in found


def _lines(content: bytes, path: Path) -> Iterator[FrameLine]:
    texts = content.split(b"\n")
    torn = texts.pop()
    before = 0
    for number, text in enumerate(texts, start=2):
        line = _line(text, f"{path}:{number}")
        if line.at < before:
            raise RecordingError(f"{path}:{number}: 'at' is {line.at}, before the line above it ({before})")
        before = line.at
        yield line
    if torn.endswith(b"}"):  # whole but for the end of the line, which an editor may have taken
        yield _line(torn, f"{path}:{len(texts) + 2}")


def _line(text: bytes, place: str) -> FrameLine:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RecordingError(f"{place}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise RecordingError(f"{place}: {found!r} is no object with at, link, kind, no and hex")
    try:
        kind = Kind(str(found.get("kind")))
    except ValueError as error:
        known = ", ".join(Kind)
        raise RecordingError(f"{place}: kind {found.get('kind')!r} is none of {known}") from error
    return FrameLine(
        at=_number(found, "at", place),
        link=_number(found, "link", place),
        kind=kind,
        number=_number(found, "no", place),
        raw=_bytes(found.get("hex"), place),
        place=place,
    )


def _number(found: dict[str, object], key: str, place: str) -> int:
    value = found.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RecordingError(f"{place}: {key!r} is {value!r}; it must be a whole number from 0 on")
    return value


def _bytes(value: object, place: str) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not raw:
        raise RecordingError(f"{place}: 'hex' is {value!r}; it must be bytes, two hexadecimal digits each")
    return raw
