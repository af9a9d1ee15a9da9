"""What is made of a site out of what there was before equals what is made of it alone."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType

import numpy as np
import pytest
from numpy import ufunc

from alerting.board import AlarmBoard
from console.spaces import SpacePlan
from dcops.live_site import LiveSite
from dcops.site_file import LoadedSite, SiteProblems, SiteReader
from facility.moves import find_moves
from simulators.sitegen import SiteShape, generate, write_site
from tests.site_file.edits import EDITS, chosen_by, rows_of, write_rows

GOOD = (
    "another timeout",
    "another period",
    "another rating",
    "another name",
    "another boundary",
    "a profile of the same kind",
    "a rack PDU removed",
    "a device added",
    "a device added beside",
    "one more is served",
    "ids exchanged",
    "a column at the end",
    "a column between",
    "a device renamed",
    "a device moved",
    "rows exchanged",
    "another port",
    "a slower profile",
    "a point less",
    "another time zone",
    "another period of all",
    "a rule",
    "rules in a file",
    "by exception",
)

ASKED = {"_text", "_numbers", "_points_by_type"}
"""What is kept of what was asked before, such as the last scrape; what a scrape tells is compared."""


def made_of(loaded: LoadedSite, like: LiveSite | None = None) -> LiveSite:
    live = LiveSite(loaded, loaded.plan, AlarmBoard(), shards={}, like=like)
    if like is not None and live.alarms is like.alarms:
        live.alarms.tell_of(loaded.site)
    return live


def parts(thing: object) -> Iterator[tuple[str, object]]:
    """What an object holds, by name."""
    if isinstance(thing, dict):
        yield from ((str(key), value) for key, value in thing.items())
    elif isinstance(thing, (list, tuple)):
        yield from ((str(at), value) for at, value in enumerate(thing))
    else:
        names = [*getattr(type(thing), "__slots__", ()), *getattr(thing, "__dict__", {})]
        yield from ((name, getattr(thing, name)) for name in names if hasattr(thing, name))


def differences(one: object, other: object, path: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Paths at which two things hold something else, however deep."""
    if one is other or (id(one), id(other)) in seen:
        return
    seen.add((id(one), id(other)))
    if type(one) is not type(other):
        yield f"{path}: {type(one)} and {type(other)}"
    elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if one.dtype != other.dtype or not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            yield f"{path}: {one} and {other}"
    elif isinstance(one, (str, bytes, int, float, Enum, Path, frozenset, set, np.generic)):
        if one != other and repr(one) != repr(other):  # NaN is like NaN
            yield f"{path}: {one!r} and {other!r}"
    elif not isinstance(one, (AlarmBoard, type, ufunc, FunctionType, BuiltinFunctionType, MethodType)):
        here, there = dict(parts(one)), dict(parts(other))
        for name in set(here) & set(there) - ASKED:
            yield from differences(here[name], there[name], f"{path}.{name}", seen)
        if isinstance(one, (dict, list, tuple)) and here.keys() != there.keys():
            yield f"{path}: {sorted(here.keys() ^ there.keys())}"


def differing(one: LiveSite, other: LiveSite) -> list[str]:
    for each in (one, other):
        _filled(each)
    found = list(differences(one, other, "live", set()))
    plans = [SpacePlan(each.loaded.site, each.catalogue) for each in (one, other)]
    found += differences(plans[0], plans[1], "spaces", set())
    for name in ("exposition", "points"):
        texts = [b"".join(getattr(each, name).pieces(each.image, *_now(name))) for each in (one, other)]
        if texts[0] != texts[1]:
            found.append(name)
    return found


def _now(name: str) -> tuple[int, ...]:
    return (2_000_000_000,) if name == "exposition" else ()


def _filled(live: LiveSite) -> None:
    count = live.image.point_count
    live.image.values[:] = np.arange(count, dtype=np.float64)
    live.image.times[:] = 1_000_000_000
    live.image.quality[:] = 192


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_site(generate(SiteShape(rows=2, racks=3, outlets=36), 1), tmp_path / "site")
    rows = rows_of(tmp_path / "site" / "devices.csv")
    for row in rows:
        row |= {"name": "", "period": "", "timeout": ""}
    write_rows(tmp_path / "site" / "devices.csv", rows)
    return tmp_path / "site"


@pytest.mark.parametrize("name", GOOD)
def test_a_successor_is_what_the_site_alone_would_be(name: str, folder: Path) -> None:
    reader = SiteReader(folder)
    before = made_of(reader.load())
    loaded = None
    for seed in range(20):  # a device moved may be a mistake
        kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        EDITS[name](folder, chosen_by(seed))
        try:
            loaded = reader.load()
        except SiteProblems:
            for path, data in kept.items():
                path.write_bytes(data)
        else:
            break
    assert loaded is not None

    successor = made_of(loaded, before)

    assert differing(successor, made_of(loaded)) == []


def test_a_row_of_successors_is_what_the_last_site_alone_would_be(folder: Path) -> None:
    reader, choice = SiteReader(folder), chosen_by(1)
    live = made_of(reader.load())
    for _ in range(15):
        kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        EDITS[choice.choice(GOOD)](folder, choice)
        try:
            live = made_of(reader.load(), live)
        except SiteProblems:
            for path, data in kept.items():
                path.write_bytes(data)

    assert differing(live, made_of(SiteReader(folder).load())) == []


def test_what_is_moved_leads_to_the_same_series(folder: Path) -> None:
    reader = SiteReader(folder)
    before = made_of(reader.load()).catalogue
    EDITS["a rack PDU removed"](folder, chosen_by(3))
    EDITS["a profile of the same kind"](folder, chosen_by(4))
    now = made_of(reader.load()).catalogue
    known = {series: at for at, series in enumerate(before.series())}

    earlier = find_moves(before, now).earlier(np.arange(now.point_count))

    assert earlier.tolist() == [known.get(series, -1) for series in now.series()]
    assert -1 not in earlier.tolist()[: now.groups[0].first + 1]


@pytest.mark.parametrize("point", ["active_power", "active_energy", "current_l1", "apparent_power"])
@pytest.mark.parametrize("profile", ["busway-tap-phases", "rack-pdu-36-outlets", "rpp-48-circuits"])
def test_sources_that_come_and_go_are_counted_as_in_the_site_alone(
    point: str, profile: str, folder: Path
) -> None:
    """One device of many is read with a profile that lacks the point, and then as before."""
    whole = (folder / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8")
    less = [line for line in whole.splitlines(keepends=True) if f"{{name: {point}," not in line]
    lean = "".join(less).replace(f"profile: {profile}", "profile: lean")
    (folder / "profiles" / "lean.yaml").write_text(lean, encoding="utf-8")
    table = folder / "devices.csv"
    reader = SiteReader(folder)
    live = made_of(reader.load())
    for name, other in ((profile, "lean"), ("lean", profile)):
        rows = rows_of(table)
        next(row for row in rows if row["profile"] == name)["profile"] = other
        write_rows(table, rows)
        loaded = reader.load()
        live = made_of(loaded, live)

        assert differing(live, made_of(loaded)) == []
