"""Records out of a SQLite file that SQLite itself refuses: page by page, whatever else is damaged.

The form of the file is that of https://www.sqlite.org/fileformat2.html. Only leaves are read, as they hold
all rows; inner pages, and with them the order of tables, are not needed. Nothing here says whether a record
is sound or still belongs to a table: whoever reads checks that by checksums of its own.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PAGE = 4096
"""Bytes of a page, as the journal is written."""

Value = int | float | str | bytes | None

_TABLE_LEAF, _INDEX_LEAF = 13, 10
_LARGEST_LEAF = {_TABLE_LEAF: PAGE - 35, _INDEX_LEAF: (PAGE - 12) * 64 // 255 - 23}
"""Bytes of a record that stay on a leaf, at most."""
_LEAST = (PAGE - 12) * 32 // 255 - 23
_CELLS_AT = 8
_WAL_HEADER = struct.Struct(">8I")
_WAL_MAGICS = frozenset({0x377F0682, 0x377F0683})
_FRAME = struct.Struct(">6I")
_LONGEST_VARINT = 9
_FIRST_BLOB = 12
_INTEGER_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_BROKEN = (IndexError, ValueError, struct.error)
"""What reading damaged bytes raises; UnicodeDecodeError is a ValueError."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it lies in the file."""

    rowid: int | None
    """None for rows of tables without one, and entries of indices."""
    values: tuple[Value, ...]


class SqlitePages:
    """A SQLite file with its write-ahead log laid over it. Use it in a ``with``.

    Raises:
        OSError: the file is there and cannot be opened. Places that cannot be read count as damaged.
    """

    def __init__(self, path: Path) -> None:
        self._main = _File(path)
        self._log = _File(Path(f"{path}-wal"))
        self._logged = _frames(self._log)
        self._count = max([self._main.size // PAGE, *self._logged])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._main.close()
        self._log.close()

    def records(self) -> Iterator[Record]:
        """Everything that has the form of a record, page by page. The first page names tables only."""
        for number in range(2, self._count + 1):
            page = self._page(number)
            if page and page[0] in _LARGEST_LEAF:
                yield from self._on_leaf(page)

    def _on_leaf(self, page: bytes) -> Iterator[Record]:
        (cells,) = struct.unpack_from(">H", page, 3)
        for place in range(min(cells, (PAGE - _CELLS_AT) // 2)):
            (at,) = struct.unpack_from(">H", page, _CELLS_AT + 2 * place)
            try:
                record = self._cell(page, at)
            except _BROKEN:
                continue
            yield record

    def _cell(self, page: bytes, at: int) -> Record:
        kind = page[0]
        size, at = _varint(page, at)
        rowid = None
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        return Record(rowid, _values(self._payload(page, at, size, _LARGEST_LEAF[kind])))

    def _payload(self, page: bytes, at: int, size: int, largest: int) -> bytes:
        if size > self._count * PAGE:
            raise ValueError(f"a record of {size} bytes")
        if size <= largest:
            return page[at : at + size]
        local = _LEAST + (size - _LEAST) % (PAGE - 4)
        if local > largest:
            local = _LEAST
        parts = [page[at : at + local]]
        (following,) = struct.unpack_from(">I", page, at + local)
        missing = size - local
        while missing > 0:
            if not 1 < following <= self._count:
                raise ValueError(f"a record goes on at page {following}")
            page = self._page(following)
            (following,) = struct.unpack_from(">I", page)
            parts.append(page[4 : 4 + missing])
            missing -= PAGE - 4
        return b"".join(parts)

    def _page(self, number: int) -> bytes:
        at = self._logged.get(number)
        return self._main.read((number - 1) * PAGE, PAGE) if at is None else self._log.read(at, PAGE)


class _File:
    """The bytes of a file, which may not be there; what the disk does not give is empty."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY) if path.exists() else -1
        self.size = os.fstat(self._handle).st_size if self._handle >= 0 else 0

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from there on, or none."""
        try:
            data = os.pread(self._handle, size, at) if self._handle >= 0 else b""
        except OSError:
            return b""
        return data if len(data) == size else b""

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)


def _frames(log: _File) -> dict[int, int]:
    """Where the latest committed version of each page lies in the write-ahead log, by page number.

    Frames of an earlier use of the log have another salt. A damaged frame does not end the log.
    """
    header = log.read(0, _WAL_HEADER.size)
    if not header:
        return {}
    magic, _, width, _, *salt = _WAL_HEADER.unpack(header)[:6]
    if magic not in _WAL_MAGICS or width != PAGE:
        return {}
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    for at in range(_WAL_HEADER.size, log.size - PAGE - _FRAME.size + 1, PAGE + _FRAME.size):
        frame = log.read(at, _FRAME.size)
        if not frame:
            continue
        number, pages, *found, _, _ = _FRAME.unpack(frame)
        if found != salt:
            continue
        pending[number] = at + _FRAME.size
        if pages:
            committed.update(pending)
            pending.clear()
    return committed


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = 0
    for place in range(_LONGEST_VARINT - 1):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value, at + place + 1
    return value << 8 | data[at + _LONGEST_VARINT - 1], at + _LONGEST_VARINT


def _values(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    values: list[Value] = []
    body = end
    while at < end:
        kind, at = _varint(payload, at)
        value, body = _value(payload, body, kind)
        values.append(value)
    if body != len(payload):
        raise ValueError("a record of another length than its header says")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in _INTEGER_WIDTHS:
        width = _INTEGER_WIDTHS[kind]
        return int.from_bytes(payload[at : at + width], "big", signed=True), at + width
    if kind >= _FIRST_BLOB:
        width = (kind - _FIRST_BLOB) // 2
        raw = payload[at : at + width]
        return (raw.decode() if kind % 2 else raw), at + width
    match kind:
        case 0:
            return None, at
        case 7:
            (number,) = struct.unpack_from(">d", payload, at)
            return number, at + 8
        case 8 | 9:
            return kind - 8, at
        case _:
            raise ValueError(f"a value of kind {kind}")
