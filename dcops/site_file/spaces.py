"""Whether the spaces form one tree with a campus at its root."""

from dcops.site_file.entries import Entry
from dcops.site_file.fields import ID_PATTERN
from dcops.site_file.items import SpaceItem
from dcops.site_file.registry import Registry
from dcops.site_file.shapes import label
from facility.spaces import LEVELS, Level

RANK = {level: rank for rank, level in enumerate(LEVELS)}
"""0 for the largest level."""


def check_spaces(registry: Registry) -> None:
    """Note every space that has no good place in the tree; those count as broken afterwards."""
    spaces = registry.spaces
    if not spaces.entries:
        if spaces.complete and not spaces.written:
            mend = "describe a campus and what stands in it"
            registry.findings.add(registry.site, f"the site has no spaces; {mend}")
        spaces.complete = False
        return
    _check_campus(registry)
    looped = _check_loops(registry)
    straight = [(item, entry) for item, entry in spaces.good() if item.id not in looped]
    wrong = [item.id for item, entry in straight if not _stands_well(item, entry, registry)]
    for entry in spaces.broken():
        _check_parent_of_broken(entry, registry)
    for space_id in (*wrong, *looped):
        spaces.spoil(space_id)
    spaces.spoil_wrong()


def _check_campus(registry: Registry) -> None:
    spaces = registry.spaces
    found = [entry for item, entry in spaces.good() if item.level is Level.CAMPUS]
    for entry in found[1:]:
        first = found[0].place.near(entry.place)
        registry.findings.add(
            entry.at("level"),
            f"a second campus (the first is on {first}); make it a building of the first one",
        )
    if not found and spaces.complete and not any(_may_be_campus(entry) for entry in spaces.broken()):
        registry.findings.add(registry.site, "no space is a campus; add one with level: campus")


def _may_be_campus(entry: Entry) -> bool:
    return entry.text("level") not in {str(level) for level in LEVELS[1:]}


def _check_loops(registry: Registry) -> set[str]:
    """The spaces that stand in themselves; each loop is noted once."""
    items = registry.spaces.items
    done: set[str] = set()
    looped: set[str] = set()
    for start in items:
        path: list[str] = []
        at: str | None = start
        while at is not None and at in items and at not in done:
            done.add(at)
            path.append(at)
            at = items[at].parent
        if at in path:
            loop = path[path.index(at) :]
            looped.update(loop)
            words = " in ".join([*loop, loop[0]])
            registry.findings.add(
                registry.spaces.entries[loop[0]].at("in"),
                f"space {loop[0]}: stands in itself ({words}); mend one of these 'in'",
            )
    return looped


def _stands_well(item: SpaceItem, entry: Entry, registry: Registry) -> bool:
    message = "" if registry.spaces.settled(item.id, "in") else _misplaced(item, registry)
    if message:
        known = item.parent is None or item.parent in registry.spaces
        about = f"{item.level} in {item.parent or item.id}" if known else f"unknown {item.parent}"
        registry.findings.add(entry.at("in"), f"space {item.id}: {message}", about)
    return not message


def _check_parent_of_broken(entry: Entry, registry: Registry) -> None:
    parent = entry.text("in")
    known = parent is None or parent in registry.spaces
    if parent is not None and not known and not entry.broken and ID_PATTERN.fullmatch(parent):
        message = _not_a_space(parent, registry)
        if message:
            words = f"{label('space', entry)}: {message}"
            registry.findings.add(entry.at("in"), words, about=f"unknown {parent}")


def _misplaced(item: SpaceItem, registry: Registry) -> str:
    if item.level is Level.CAMPUS:
        first = next(each.id for each in registry.spaces.items.values() if each.level is Level.CAMPUS)
        alone = item.parent is None or item.id != first
        return "" if alone else "a campus stands in nothing; remove 'in'"
    if item.parent is None:
        return f"in is missing; write the id of the space this {item.level} stands in"
    if item.parent not in registry.spaces:
        return _not_a_space(item.parent, registry)
    parent = registry.spaces.items.get(item.parent)
    if parent is not None and RANK[parent.level] >= RANK[item.level]:
        larger = ", ".join(LEVELS[: RANK[item.level]])
        return f"a {item.level} cannot stand in a {parent.level} ({parent.id}); put it in one of {larger}"
    return ""


def _not_a_space(word: str, registry: Registry) -> str:
    if word in registry.devices:
        return f"in: {word!r} is a device; write the id of a space"
    if not registry.spaces.complete:
        return ""
    return registry.unknown("in", word, registry.spaces.entries)
