"""A map of the CSV form, made a profile: understood row by row, written as YAML and read back."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from collectors.errors import ProfileError, ProfileProblem
from collectors.profiles import DataType, ModbusProfile, Order, Table
from collectors.profiles.csv_map import assumed, scales, unheard, word_orders
from collectors.profiles.csv_map.comment import MAX_REGISTERS, Expectation, clauses_of, read_comment
from collectors.profiles.csv_map.draft import Draft, Entry, Hex, Value, render
from collectors.profiles.csv_map.halves import joined
from collectors.profiles.csv_map.kinds import guess_kind
from collectors.profiles.csv_map.names import Namer, profile_name
from collectors.profiles.csv_map.points import PointWriter
from collectors.profiles.csv_map.registers import Notes, Place, overlapping, patterns, place, where
from collectors.profiles.csv_map.remarks import negative_codes, read_remarks
from collectors.profiles.csv_map.rows import read_rows
from collectors.profiles.csv_map.unit_words import unit_symbol
from collectors.profiles.document import Problems
from collectors.profiles.reader import read_profile
from facility.devices import DeviceKind

_SIGNED = frozenset({DataType.S8, DataType.S16, DataType.S32, DataType.S64})
_TELLING = 4
"""Letters of a word of a name that a comment may speak of."""
_NOT_TELLING = frozenset({"unit", "state", "status", "code", "codes", "value", "time", "number"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something the importer assumed, for the user to judge."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProfile:
    """A map that became a profile."""

    profile: ModbusProfile
    text: str
    """The profile as YAML."""
    notes: tuple[Note, ...]
    """What was assumed, in the order of the map."""


def import_map(
    text: str, file: str, *, name: str | None = None, kind: DeviceKind | None = None
) -> ImportedProfile:
    """The profile of a map; ``file`` names it in messages and, unless told, the profile.

    Raises:
        ProfileError: the map has mistakes; the error holds all of them, with lines.
    """
    problems, notes = Problems(file), Notes()
    draft = _Importer(text, file, problems, notes).draft(name, kind)
    if draft is None or problems.found:
        raise ProfileError(problems.found)
    written = render(draft)
    profile = _read_back(written, file, draft)
    found = sorted(notes.found, key=lambda each: each[0])
    return ImportedProfile(
        profile=profile,
        text=written,
        notes=tuple(Note(file=file, line=line, message=message) for line, message in found),
    )


def _read_back(written: str, file: str, draft: Draft) -> ModbusProfile:
    """What was written, read as every profile is: its mistakes are those of the map."""
    try:
        profile = read_profile(written, file)
    except ProfileError as error:
        lines = written.splitlines()
        raise ProfileError(
            ProfileProblem(file, _line_of(lines[each.line - 1], draft), each.message)
            for each in error.problems
        ) from None
    assert isinstance(profile, ModbusProfile)  # noqa: S101  the draft says so
    return profile


def _line_of(line: str, draft: Draft) -> int:
    """The line of the map a line of the profile is from; the first where it is from no row."""
    _, _, rest = line.partition("{name: ")
    return draft.lines.get(rest.split(",", 1)[0], 1)


class _Importer:
    """One import: the parts of the profile, found one after the other."""

    def __init__(self, text: str, file: str, problems: Problems, notes: Notes) -> None:
        self._file = PurePath(file)
        self._problems = problems
        self._notes = notes
        found = read_rows(text, problems, notes.add)
        self._rows = found.rows
        self._comment = read_comment(found.comment)

    def draft(self, name: str | None, kind: DeviceKind | None) -> Draft | None:
        """The profile; None if the map has mistakes."""
        places = self._places()
        if self._problems.found:
            return None
        kind = kind or self._kind()
        readable = [at for at in places if not at.remarks.unreadable]
        if not any(at.data for at in readable):
            self._problems.add(
                1, "the map has no register that can be read as a number; a profile needs points"
            )
            return None
        head = self._head(name, kind, places, readable)
        draft = Draft(head=head)
        writer = PointWriter(
            kind,
            readable,
            by_type=self._sentinels(readable),
            head=head,
            problems=self._problems,
            notes=self._notes,
        )
        draft.points, draft.helpers = writer.points(), writer.helpers
        self._tell_unheard(readable)
        for at in readable:
            draft.lines[at.name] = at.row.line
            if at.data is None:
                draft.texts.append({"name": at.name, **where(at, head)})
        draft.identity = [_expected(each) for each in self._comment.identity]
        if draft.identity:
            self._notes.add(
                1, "what identifies the device is written as comment; uncomment it once it is verified"
            )
        return draft

    def _tell_unheard(self, readable: Sequence[Place]) -> None:
        """Say what the map tells and the profile does not."""
        clauses = clauses_of(self._comment.caveats)
        for message in (*unheard.of_comment(self._comment, clauses), *scales.of_comment(clauses, readable)):
            self._notes.add(1, message)
        sentinels = self._sentinels(readable)
        for at in readable:
            if at.data is None:
                continue
            own: Sequence[int] = patterns(at, sentinels, Notes()) or [*sentinels.get(at.data, ())]
            for message in (*unheard.of_row(at, own), *scales.of_row(at)):
                self._notes.add(at.row.line, message)

    def _places(self) -> list[Place]:
        namer = Namer()
        found = []
        named = []
        bytes_little = self._bytes_little()
        words_little = word_orders.little_of(self._comment.clauses)
        for row in self._rows:
            remarks = read_remarks(row.description)
            remarks.swapped |= bytes_little
            name = namer.name(row.name)
            named.append((row, name))
            little = word_orders.is_little(row, words_little)
            usual = Order.CDAB if little else Order.ABCD
            at = place(row, remarks, name, self._problems, self._notes, usual=usual)
            if at is None:
                continue
            remarks.unreadable |= any(
                at.address <= last and first < at.address + at.length
                for first, last in self._comment.forbidden
            )
            if at.data is None and any(word in name for word in self._comment.swapped):
                remarks.swapped = True
            if remarks.unreadable:
                self._notes.add(
                    row.line, f"{row.name}: left out and forbidden, the map says it must not be read"
                )
            self._negatives(at)
            found.append(at)
        for line, message in (
            *assumed.of_names(named),
            *assumed.of_types(self._rows),
            *assumed.of_hexadecimal(self._rows, self._comment.caveats),
            *assumed.of_numbering(found),
            *scales.of_places(found),
            *word_orders.notes_of(self._comment.clauses, found),
        ):
            self._notes.add(line, message)
        return joined(found, self._comment.caveats, self._comment.sentinels, self._notes)

    def _negatives(self, at: Place) -> None:
        """Codes in place of a measurement, as the comment tells them of what it names."""
        words = {word for word in at.name.split("_") if len(word) >= _TELLING} - _NOT_TELLING
        for clause in self._comment.negatives:
            if not at.row.unit or not words & set(re.findall(r"[a-z]+", clause.lower())):
                continue
            codes = negative_codes(clause)
            at.remarks.invalid_measured.extend(codes)
            told = any(each < 0 for each in at.remarks.invalid_measured)
            if at.data in _SIGNED and not told:
                rule = "its negative numbers are codes by the map, but none is told; write invalid="
                self._notes.add(at.row.line, f"{at.row.name}: {rule}")

    def _bytes_little(self) -> bool:
        """Whether the bytes of all registers are swapped; not where single rows say it of themselves."""
        told = self._comment.bytes_little
        if told and any(read_remarks(row.description).swapped for row in self._rows):
            self._notes.add(1, "byte_order=little is taken of the rows that say so, not of all")
            return False
        return told

    def _kind(self) -> DeviceKind:
        symbols = [unit_symbol(row.unit, row.name) or "" for row in self._rows]
        names = [row.name for row in self._rows]
        kind, told_by = guess_kind(self._comment.make, self._comment.source, self._file.stem, names, symbols)
        self._notes.add(1, f"kind {kind} guessed from {told_by}; give --kind if it is another")
        return kind

    def _head(
        self, name: str | None, kind: DeviceKind, places: Sequence[Place], readable: Sequence[Place]
    ) -> Entry:
        comment = self._comment
        head: Entry = {
            "profile": name or profile_name(self._file.stem),
            "kind": str(kind),
            "protocol": "modbus",
        }
        caveats = self._caveats(readable)
        texts = {"make": comment.make, "link": comment.link, "source": comment.source, "caveats": caveats}
        head.update({key: text for key, text in texts.items() if text})
        head["table"] = str(Counter(at.table for at in readable).most_common(1)[0][0])
        orders = Counter(at.order for at in readable if at.length > 1 and at.data is not None)
        order = orders.most_common(1)[0][0] if orders else Order.ABCD
        if order is not Order.ABCD:
            head["order"] = str(order)
        self._read_limits(head, readable)
        sentinels = self._sentinels(readable)
        if sentinels:
            head["invalid_by_type"] = {
                str(data): [Hex(each) for each in told] for data, told in sentinels.items()
            }
        spans = self._forbidden(places, readable)
        if spans:
            head["forbidden"] = spans
        if comment.offsets:
            head["sunspec"] = self._sunspec()
        manners: dict[str | int, Value] = {}
        if comment.timeout is not None:
            manners["timeout"] = f"{comment.timeout:g}s"
        if comment.pause is not None:
            manners["pause"] = f"{comment.pause * 1000:g}ms"
        if manners:
            head["manners"] = manners
        head["check_range"] = False
        return head

    def _read_limits(self, head: Entry, readable: Sequence[Place]) -> None:
        """How many registers a request may ask for, and whether each value wants one of its own."""
        comment = self._comment
        values = [at for at in readable if at.data is not None]
        longest = max(at.length for at in values)
        limit = comment.max_registers
        alone = comment.alone
        if limit < longest:
            alone, limit = True, longest
            self._notes.add(
                1, f"each value is read alone, {longest} registers at most: the longest value needs them"
            )
        if limit < MAX_REGISTERS:
            head["max_registers"] = limit
        pairs = overlapping(values)
        if pairs and not alone:
            alone = True
            first, second = pairs[0]
            self._notes.add(
                second.row.line,
                f"{second.name} lies on {first.name}: each value is read by a request of its own",
            )
        if alone:
            head["alone"] = True
        if comment.bridged and not alone:
            head["max_gap"] = _widest_gap(values)

    def _sentinels(self, readable: Sequence[Place]) -> dict[DataType, list[int]]:
        used = {at.data for at in readable}
        return {data: found for data, found in self._comment.sentinels.items() if data in used}

    def _forbidden(self, places: Sequence[Place], readable: Sequence[Place]) -> list[Value]:
        told = self._comment.forbidden
        spans: list[Value] = [
            _span(at.table, at.address, at.address + max(at.length, 1) - 1)
            for at in places
            if at.remarks.unreadable and not any(first <= at.address <= last for first, last in told)
        ]
        tables = sorted({at.table for at in readable})
        for first, last in told:
            spans.extend(_span(table, first, last) for table in tables)
        return spans

    def _sunspec(self) -> dict[str | int, Value]:
        model = self._comment.model
        if model is None:
            self._problems.add(1, "addresses count from a SunSpec model, but from which; write ID==213")
            return {}
        found: dict[str | int, Value] = {"model": model}
        if self._comment.bases:
            found["bases"] = list(self._comment.bases)
        return found

    def _caveats(self, readable: Sequence[Place]) -> str:
        parts = [self._comment.caveats]
        by_firmware: dict[str, list[str]] = {}
        for at in readable:
            if at.remarks.firmware:
                by_firmware.setdefault(at.remarks.firmware, []).append(at.name)
        parts.extend(f"{version}: {', '.join(names)}" for version, names in by_firmware.items())
        return "; ".join(filter(None, parts))


def _expected(each: Expectation) -> Entry:
    entry: Entry = {"address": each.address, "length": each.length}
    if each.text:
        entry["text"] = each.text
    elif each.low == each.high and each.low is not None:
        entry["equals"] = each.low
    else:
        entry["from"], entry["to"] = each.low or 0, each.high or 0
    return entry


def _span(table: Table, first: int, last: int) -> dict[str | int, Value]:
    return {"table": str(table), "from": first, "to": last}


def _widest_gap(values: Sequence[Place]) -> int:
    """The widest gap between two values that one request can bridge."""
    widest = 0
    ends: dict[Table, int] = {}
    for at in sorted(values, key=lambda each: (each.table, each.address)):
        gap = at.address - ends.get(at.table, at.address)
        if gap + at.length < MAX_REGISTERS:
            widest = max(widest, gap)
        ends[at.table] = at.address + at.length
    return widest
