"""What reading devices has taught: registers they refuse, where reads must end, which device it was.

Kept across restarts, so that nothing is learned twice. A lesson belongs to an endpoint, a unit and the
map it was learned with; another map begins anew.
"""

import asyncio
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress
from types import MappingProxyType

from collectors.config import ModbusBinding
from collectors.errors import LessonsError
from collectors.health import DeviceLesson, RefusedValue
from collectors.planning import needed_registers
from collectors.profiles import ModbusProfile, Register, Table

_LOG = logging.getLogger(__name__)

VERSION = 1
"""Of the document lessons are kept in."""
SAVE_PAUSE = 1.0
"""Seconds between a change and its saving, so that many changes are saved at once."""
RETRY_PAUSE = 60.0
"""Seconds until saving is tried again after it failed."""
_AT_ONCE = 256
"""Lessons written in one go, so that the loop goes on in between: a campus has twenty thousand."""
_ADDRESSES = 1 << 16

Address = tuple[Table, int]
"""Where a value begins."""
_NO_CUTS: frozenset[Address] = frozenset()
_NOTHING_REFUSED: Mapping[Address, int] = MappingProxyType({})
_NOTHING_TOLD: Mapping[str, str] = MappingProxyType({})
Save = Callable[[bytes], None]
"""Keeps a document until the next start; raises OSError if it cannot. Called in a thread of its own."""


@dataclass(frozen=True, slots=True)
class LessonKey:
    """What a lesson is about."""

    endpoint: str
    unit: int
    profile: str
    map_hash: str
    """Of the addresses of the profile; other scales or names do not change it."""


@dataclass(slots=True)
class Lesson:
    """What one device has taught. Its mappings are replaced, never changed: most devices teach nothing."""

    refused: Mapping[Address, int] = field(default_factory=lambda: _NOTHING_REFUSED)
    """Values the device does not have, and the exception it says so with."""
    cuts: frozenset[Address] = _NO_CUTS
    """Values a read must begin at, since the device refuses to read across."""
    start: int | None = None
    """Where its SunSpec model begins."""
    identity: Mapping[str, str] = field(default_factory=lambda: _NOTHING_TOLD)
    """What it told of itself when it was last asked."""

    def __bool__(self) -> bool:
        return bool(self.refused or self.cuts or self.identity) or self.start is not None

    def forget(self) -> None:
        """Begin anew."""
        self.refused = _NOTHING_REFUSED
        self.cuts = _NO_CUTS
        self.identity = _NOTHING_TOLD
        self.start = None


class Lessons:
    """The lessons of all devices, as they are learned, and their keeping."""

    def __init__(
        self,
        save: Save | None = None,
        document: bytes | None = None,
        *,
        pause: float = SAVE_PAUSE,
        retry_pause: float = RETRY_PAUSE,
    ) -> None:
        """Take up what was kept.

        Args:
            save: keeps a document; None keeps nothing.
            document: what was kept last; None if there is nothing.
            pause: seconds between a change and its saving.
            retry_pause: seconds until saving is tried again after it failed.

        Raises:
            LessonsError: the document is none of lessons.
        """
        self._save_document = save
        self._pause = pause
        self._retry_pause = retry_pause
        self._endpoints: list[str] = []
        self._units: list[int] = []
        self._profiles: list[ModbusProfile] = []
        self._lessons: list[Lesson] = []
        """Columns, a row a device: it takes less than a tuple each."""
        self._hashes: dict[int, tuple[ModbusProfile, str]] = {}
        """Of maps, by the identity of their profiles, which are kept so that no other one gets it."""
        self._kept = _read(document) if document is not None else {}
        self._changed = asyncio.Event()
        self._saving = threading.Lock()
        self._number = self._saved = 0
        self._saved_document = document
        self._told = False

    def of(self, endpoint: str, unit: int, profile: ModbusProfile) -> Lesson:
        """The lesson of a device, the one that was kept if there is one. To be asked for once a device."""
        key = self._key(endpoint, unit, profile)
        lesson = self._kept.pop(key, None)
        if lesson is None or (lesson.start is not None and not fits(profile, lesson.start)):
            lesson = Lesson()
        self._endpoints.append(endpoint)
        self._units.append(unit)
        self._profiles.append(profile)
        self._lessons.append(lesson)
        return lesson

    def give_back(self, lessons: Iterable[Lesson]) -> None:
        """Lessons of devices that are read no more, or anew: the next one of the same kind takes them up."""
        given = set(map(id, lessons))
        gives = list(map(given.__contains__, map(id, self._lessons)))
        places = list(compress(range(len(gives)), gives))
        if not places:
            return
        for at in places:
            if self._lessons[at]:
                key = self._key(self._endpoints[at], self._units[at], self._profiles[at])
                self._kept[key] = self._lessons[at]
        # Other lists, for those there are may just be written to a document.
        stays = [not each for each in gives]
        self._endpoints = list(compress(self._endpoints, stays))
        self._units = list(compress(self._units, stays))
        self._profiles = list(compress(self._profiles, stays))
        self._lessons = list(compress(self._lessons, stays))

    def changed(self) -> None:
        """Some lesson is another now."""
        self._changed.set()

    async def run(self) -> None:
        """Save whenever something has changed, until cancelled; and then what has not been saved yet."""
        saved = True
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(self._pause if saved else self._retry_pause)
                self._changed.clear()
                number = self._next_number()
                document = await self._document_by_and_by()
                saved = await asyncio.to_thread(self._keep, number, document)
                if not saved:
                    self._changed.set()
        finally:
            if self._changed.is_set() or self._saved < self._number:
                self.save()

    def save(self) -> None:
        """Save now. That it cannot be is logged."""
        self._changed.clear()
        self._keep(self._next_number(), self.document())

    def document(self) -> bytes:
        """All lessons, as the constructor takes them."""
        return _framed([self._line(*row) for row in self._rows() if row[-1]])

    async def _document_by_and_by(self) -> bytes:
        """The same, with others having their turn in between."""
        lines = []
        for at, row in enumerate(self._rows()):
            if row[-1]:
                lines.append(self._line(*row))
            if at % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return _framed(lines)

    def _rows(self) -> Iterator[tuple[str, int, ModbusProfile, Lesson]]:
        return zip(self._endpoints, self._units, self._profiles, self._lessons, strict=True)

    def _line(self, endpoint: str, unit: int, profile: ModbusProfile, lesson: Lesson) -> str:
        return json.dumps(_written(self._key(endpoint, unit, profile), lesson), ensure_ascii=False)

    def _key(self, endpoint: str, unit: int, profile: ModbusProfile) -> LessonKey:
        found = self._hashes.get(id(profile))
        if found is None:
            found = self._hashes[id(profile)] = (profile, map_hash(profile))
        return LessonKey(endpoint, unit, profile.name, found[1])

    def _next_number(self) -> int:
        """Of the next document, by which a later one is told from an earlier one."""
        self._number += 1
        return self._number

    def _keep(self, number: int, document: bytes) -> bool:
        """Save a document; False if it cannot be.

        Not done if a later one is saved already, for a thread may be overtaken at the end, nor if it is the
        one that was saved last.
        """
        with self._saving:
            if self._save_document is None or number < self._saved:
                return True
            if document != self._saved_document:
                try:
                    self._save_document(document)
                except OSError as error:
                    if not self._told:
                        _LOG.warning("lessons about devices cannot be saved: %s; trying again", error)
                    self._told = True
                    return False
                if self._told:
                    _LOG.info("lessons about devices are saved again")
                self._saved_document = document
                self._told = False
            self._saved = number
            return True


def described(binding: ModbusBinding, lesson: Lesson) -> DeviceLesson:
    """A lesson in words."""
    profile = binding.profile
    points: dict[Address, list[str]] = {}
    for place, source in enumerate(profile.sources):
        if isinstance(source, Register) and (source.table, source.address) in lesson.refused:
            points.setdefault((source.table, source.address), []).extend(_told_by(profile, place))
    return DeviceLesson(
        device=binding.device,
        endpoint=binding.endpoint,
        unit=binding.unit,
        profile=profile.name,
        refused=tuple(
            RefusedValue(
                place=f"{table} {address}", points=tuple(points.get((table, address), ())), exception=code
            )
            for (table, address), code in sorted(lesson.refused.items())
        ),
        cuts=tuple(f"{table} {address}" for table, address in sorted(lesson.cuts)),
        start=lesson.start,
        identity=dict(lesson.identity),
    )


def _told_by(profile: ModbusProfile, place: int) -> Iterator[str]:
    """Names of the points that need the source at a place."""
    for at, point in enumerate(profile.points):
        if place in needed_registers(profile, [at]):
            yield point.name


def fits(profile: ModbusProfile, start: int) -> bool:
    """Whether everything a profile asks for lies within the addresses there are, counted from ``start``."""
    ends = [each.address + each.length for each in profile.registers]
    ends += [each.address + each.length for each in profile.texts]
    ends += [each.address + each.length for each in profile.identity]
    return start + max(ends, default=0) <= _ADDRESSES


def map_hash(profile: ModbusProfile) -> str:
    """Tells maps apart whose values lie elsewhere."""
    places = [f"{each.table}:{each.address}:{each.length}" for each in profile.registers]
    start = f"sunspec:{profile.sunspec.model}" if profile.sunspec is not None else ""
    return hashlib.sha256(" ".join([start, *places]).encode()).hexdigest()[:16]


def _framed(lines: list[str]) -> bytes:
    """The document: one lesson a line."""
    entries = ",\n".join(lines)
    return f'{{"dcops_lessons": {VERSION}, "lessons": [\n{entries}\n]}}\n'.encode()


def _written(key: LessonKey, lesson: Lesson) -> dict[str, object]:
    return {
        "endpoint": key.endpoint,
        "unit": key.unit,
        "profile": key.profile,
        "map": key.map_hash,
        "refused": [[table, address, code] for (table, address), code in sorted(lesson.refused.items())],
        "cuts": [[table, address] for table, address in sorted(lesson.cuts)],
        "start": lesson.start,
        "identity": dict(lesson.identity),
    }


def _read(document: bytes) -> dict[LessonKey, Lesson]:
    try:
        top = json.loads(document)
        if top["dcops_lessons"] != VERSION:
            raise LessonsError(f"they are of version {top['dcops_lessons']!r}, this is version {VERSION}")
        return dict(_entries(top["lessons"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LessonsError(f"they are no lessons of dcops: {error!r}") from error


def _entries(entries: list[dict[str, object]]) -> Iterator[tuple[LessonKey, Lesson]]:
    for entry in entries:
        key = LessonKey(
            _text(entry["endpoint"]), _whole(entry["unit"]), _text(entry["profile"]), _text(entry["map"])
        )
        start = entry["start"]
        yield (
            key,
            Lesson(
                refused={
                    (Table(_text(table)), _whole(address)): _whole(code)
                    for table, address, code in _rows(entry["refused"])
                },
                cuts=frozenset(
                    (Table(_text(table)), _whole(address)) for table, address in _rows(entry["cuts"])
                ),
                start=None if start is None else _whole(start),
                identity=_texts(entry["identity"]),
            ),
        )


def _rows(value: object) -> list[list[object]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise ValueError(f"{value!r} is no list of lists")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - one kind of error says the file is wrong
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} holds no texts")  # noqa: TRY004 - likewise
    return {_text(name): _text(text) for name, text in value.items()}
