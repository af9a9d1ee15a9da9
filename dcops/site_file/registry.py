"""What is known of a site while it is checked, broken items included, so that a mistake is told once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Generic, TypeVar

from dcops.site_file.entries import Entry
from dcops.site_file.items import DeviceItem, Item, MqttItem, SpaceItem
from dcops.site_file.modbus_items import ModbusItem
from dcops.site_file.problems import Findings, NearNames, Place
from dcops.site_file.shapes import Shaped, label

EndpointItem = ModbusItem | MqttItem
RegisteredT = TypeVar("RegisteredT", bound=Item)

_ALIKE = 0.75
"""From this ratio of common letters on, two ids may be versions of one."""
_MOST_COMPARED = 1000
"""Comparing a word with more others than this would take seconds."""


@dataclass(slots=True)
class Known(Generic[RegisteredT]):
    """The items of one kind, by id."""

    name: str
    """The section they stand in, and the name of their table."""
    what: str
    """How one is called in messages."""
    namespace: dict[str, Entry] = field(default_factory=dict)
    """All ids that exclude each other, of other kinds too."""
    items: dict[str, RegisteredT] = field(default_factory=dict)
    """Those of good shape."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """All, the broken ones too."""
    wrong: dict[str, frozenset[str]] = field(default_factory=dict)
    """Keys that do not fit, of items that are otherwise good; nothing more is said about those keys."""
    lost: list[Entry] = field(default_factory=list)
    """Those without an id, with one that cannot be one or that is another's: their true ids are nowhere."""
    written: int = 0
    """How many items there are, also those without an id."""
    complete: bool = True
    """False if there may be more that could not be read; then no id counts as unknown."""

    def __contains__(self, item_id: str) -> bool:
        return item_id in self.entries

    def good(self) -> Iterator[tuple[RegisteredT, Entry]]:
        """The items of good shape, in file order."""
        for item_id, item in self.items.items():
            yield item, self.entries[item_id]

    def broken(self) -> Iterator[Entry]:
        """The other ones."""
        for item_id, entry in self.entries.items():
            if item_id not in self.items:
                yield entry

    def spoil(self, item_id: str) -> None:
        """From now on the item counts as broken."""
        self.items.pop(item_id, None)

    def spoil_wrong(self) -> None:
        """From now on every item with a key that does not fit counts as broken."""
        for item_id in self.wrong:
            self.spoil(item_id)

    def settled(self, item_id: str, key: str) -> bool:
        """Whether it is already told that the key of the item does not fit."""
        return key in self.wrong.get(item_id, ())


@dataclass(slots=True)
class Registry:
    """Everything known of the site."""

    site: Place
    """Where the site file stands, for what is missing."""
    findings: Findings
    spaces: Known[SpaceItem] = field(default_factory=lambda: Known("spaces", "space"))
    endpoints: Known[EndpointItem] = field(default_factory=lambda: Known("endpoints", "endpoint"))
    devices: Known[DeviceItem] = field(init=False)
    """Share their namespace with the spaces."""
    names: NearNames = field(default_factory=NearNames)

    def __post_init__(self) -> None:
        self.devices = Known("devices", "device", self.spaces.namespace)

    def add_all(
        self,
        known: Known[RegisteredT],
        entries: Sequence[Entry],
        read: Callable[[Entry], Shaped[RegisteredT]],
        before: Known[RegisteredT] | None = None,
    ) -> None:
        """Take in the items of a section; an id that is taken already is a mistake.

        Args:
            known: where they go.
            entries: the items as written.
            read: makes the typed item and notes what is wrong with it.
            before: the same section as it was, without a mistake, before; what is written as it was there is
                the very same item.
        """
        others = entries if before is None else _take_known(known, entries, before)
        same = before.items if before is not None else {}
        written = before.entries if before is not None else {}
        for entry in others:
            word = entry.values.get("id")
            if (
                isinstance(word, str)
                and word in same
                and known.namespace.get(word, entry) is entry
                and written[word].values == entry.values
                and not entry.broken
            ):
                known.written += 1
                known.namespace[word] = known.entries[word] = entry
                known.items[word] = same[word]
                continue
            shaped = read(entry)
            item_id = entry.text("id")
            known.written += 1
            first = entry if item_id is None else known.namespace.setdefault(item_id, entry)
            if item_id is None or "id" in shaped.wrong or first.values != entry.values:
                known.lost.append(entry)
            if item_id is None:
                continue
            if first is not entry:
                where = first.place.near(entry.place)
                message = f"{label(known.what, entry)}: this id is taken ({where}); give it another"
                self.findings.add(entry.at("id"), message)
                continue
            known.entries[item_id] = entry
            if shaped.item is not None:
                known.items[item_id] = shaped.item
            else:
                known.items.pop(item_id, None)
            if shaped.wrong:
                known.wrong[item_id] = shaped.wrong

    def _is_lost(self, word: str, lost: list[Entry], candidates: Iterable[str]) -> bool:
        """Whether a word that is no id is most likely one that another mistake hides."""
        home = self._home(word)
        if home and home in {entry.text("in") for entry in lost}:
            return True
        others = [entry.text("id") or "" for entry in lost if not (home and entry.text("in"))]
        likeness = max((_likeness(word, other) for other in others), default=0.0)
        if likeness < _ALIKE:
            return False
        known = list(candidates)
        return len(known) > _MOST_COMPARED or all(_likeness(word, each) <= likeness for each in known)

    def _home(self, word: str) -> str:
        """The space a word is named after, such as ``b1-h1`` for ``b1-h1-ups-a``; empty if there is none."""
        home = word
        while home and home not in self.spaces:
            home = home.rpartition("-")[0]
        return home

    def unknown(self, key: str, word: str, candidates: Iterable[str]) -> str:
        """Words for an id under ``key`` that is not there; none if another mistake explains that."""
        candidates = list(candidates)
        lost = self.endpoints.lost if key == "endpoint" else [*self.spaces.lost, *self.devices.lost]
        if lost and self._is_lost(word, lost[:_MOST_COMPARED], candidates):
            return ""
        hint = self.names.hint(word, candidates) or "describe it or write another"
        return f"{key}: {word!r} is not in this site; {hint}"


def _take_known(
    known: Known[RegisteredT], entries: Sequence[Entry], before: Known[RegisteredT]
) -> Sequence[Entry]:
    """Take in those that are written as they were; returns the others. All, if an id is not free.

    The others have their places among the items already: what they were, or an item that is none.
    """
    words = [word for entry in entries if isinstance(word := entry.values.get("id"), str)]
    free = len(words) == len(entries) == len(set(words)) and known.namespace.keys().isdisjoint(words)
    if not free or len(before.items) < len(before.entries):
        return entries
    same = before.items
    others = [
        entry
        for old, entry in zip(map(before.entries.get, words), entries, strict=True)
        if old is not entry and (old is None or old.values is not entry.values or entry.broken)
    ]
    known.written += len(entries) - len(others)
    for word, entry in zip(words, entries, strict=True):  # not at one go: others have their turn in between
        known.entries[word] = known.namespace[word] = entry
        known.items[word] = same.get(word)  # type: ignore[assignment]  # see above
    return others


def _likeness(one: str, other: str) -> float:
    """0 to 1: the share of letters two words have in common, in order."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
