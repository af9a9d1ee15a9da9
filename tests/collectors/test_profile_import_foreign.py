"""Maps that were never seen before: imported, put on the wire as literal words, polled, compared."""

import asyncio
import csv
import io
import math
from functools import cache
from pathlib import Path

import pytest
import yaml

from collectors.profiles.csv_map import ImportedProfile, import_map
from facility.quality import Quality
from tests.collectors.test_library_conformance import TABLES, Case, Words, place, poll

FOREIGN = Path(__file__).parent / "maps" / "foreign"
NAMES = sorted(file.stem for file in FOREIGN.glob("*.csv"))


@cache
def imported(name: str) -> ImportedProfile:
    return import_map((FOREIGN / f"{name}.csv").read_text(encoding="utf-8"), f"{name}.csv")


@cache
def told(name: str) -> dict[str, list[dict[str, str]]]:
    return dict(yaml.safe_load((FOREIGN / f"{name}.yaml").read_text(encoding="utf-8")))


def rows(name: str) -> list[dict[str, str]]:
    lines = (FOREIGN / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()
    table = [line for line in lines if line.strip() and not line.startswith("#")]
    found = list(csv.reader(io.StringIO("\n".join(table))))
    header = [each.lower() for each in found[0]]
    return [dict(zip(header, fields, strict=True)) for fields in found[1:]]


def case(name: str) -> Case:
    empty: dict[str, Words] = {table: {} for table in TABLES}
    entries = told(name)
    texts, without = entries.get("texts", []), entries.get("no_value", [])
    words = place([*entries.get("also", []), *entries["points"], *texts], empty)
    return Case(
        profile=imported(name).profile,
        words=words,
        values={point["name"]: float(point["value"]) for point in entries["points"]},
        texts={text["name"]: text["text"] for text in texts},
        silent=place(without, words),
        without_value={point["name"] for point in without},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_map_that_was_never_seen_is_read_as_it_says(name: str) -> None:
    found = case(name)
    assert {point.name for point in found.profile.points} == set(found.values)
    read = asyncio.run(poll({name: found}))
    wrong = {}
    for point, expected in found.values.items():
        value, quality = read.values[name][point]
        same = value == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
        if not same or (quality != Quality.GOOD and not math.isnan(expected)):
            wrong[point] = (value, quality, expected)
    assert not wrong, read.errors
    assert {text: read.texts[name].get(text, "") for text in found.texts} == found.texts
    kept = {
        point: read.silent[name][point]
        for point in found.without_value
        if not math.isnan(read.silent[name][point][0])
    }
    assert not kept


@pytest.mark.parametrize("name", NAMES)
def test_every_row_becomes_a_point_a_text_or_a_note(name: str) -> None:
    profile = imported(name).profile
    out = {each.name for each in (*profile.points, *profile.texts)}
    noted = "\n".join(map(str, imported(name).notes))
    renamed = dict(told(name).get("renamed", {}))
    left = []
    seen: set[str] = set()
    for row in rows(name):
        written = row["name"]
        expected = renamed.get(f"{written} 2" if written in seen else written, written)
        seen.add(written)
        if expected not in out:
            assert f"{written}: left out" in noted
            left.append(written)
    assert left == told(name).get("left", [])


@pytest.mark.parametrize("name", NAMES)
def test_what_alarms_count_on_is_typed(name: str) -> None:
    types = {point.name: point.type.key for point in imported(name).profile.points}
    wanted = {entry["name"]: entry["type"] for entry in told(name)["points"] if "type" in entry}
    assert {point: types[point] for point in wanted} == wanted
