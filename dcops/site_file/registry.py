"""What is known of a site while it is checked, broken items included, so that a mistake is told once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dcops.site_file.entries import Entry
from dcops.site_file.items import DeviceItem, Item, ModbusItem, MqttItem, SpaceItem
from dcops.site_file.problems import Findings, NearNames, Place
from dcops.site_file.shapes import Shaped, label

EndpointItem = ModbusItem | MqttItem
RegisteredT = TypeVar("RegisteredT", bound=Item)


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
        entries: Iterable[Entry],
        read: Callable[[Entry], Shaped[RegisteredT]],
    ) -> None:
        """Take in the items of a section; an id that is taken already is a mistake.

        Args:
            known: where they go.
            entries: the items as written.
            read: makes the typed item and notes what is wrong with it.
        """
        for entry in entries:
            shaped = read(entry)
            item_id = entry.text("id")
            known.written += 1
            if item_id is None:
                continue
            first = known.namespace.setdefault(item_id, entry)
            if first is not entry:
                where = first.place.near(entry.place)
                message = f"{label(known.what, entry)}: this id is taken ({where}); give it another"
                self.findings.add(entry.at("id"), message)
                continue
            known.entries[item_id] = entry
            if shaped.item is not None:
                known.items[item_id] = shaped.item
            if shaped.wrong:
                known.wrong[item_id] = shaped.wrong

    def unknown(self, key: str, word: str, candidates: Iterable[str]) -> str:
        """Words for an id under ``key`` that is not there."""
        hint = self.names.hint(word, candidates) or "describe it or write another"
        return f"{key}: {word!r} is not in this site; {hint}"
