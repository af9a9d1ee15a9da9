"""Files that somebody may be writing are read when they have stayed as they are for a moment."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from dcops.settled_files import FilesChangingError, read_settled
from dcops.site_file import LoadedSite, Problem, SiteProblems

SECOND = 1_000_000_000
LONG_AGO, NOW = 1_700_000_000 * SECOND, 1_800_000_000 * SECOND


class Desk:
    """Files with times of their own, and who reads them while time goes by."""

    def __init__(self, folder: Path) -> None:
        self.site, self.table = folder / "site.yaml", folder / "devices.csv"
        for each in (self.site, self.table):
            self.write(each, "first", LONG_AGO)
        self.seconds = 100.0
        self.waits: list[float] = []
        self.reads: list[str] = []
        self.made: list[str] = []
        self.while_read: list[Callable[[], None]] = []
        self.while_made: list[Callable[[], None]] = []
        self.while_waiting: list[Callable[[], None]] = []
        self.read_takes = 0.0

    def write(self, path: Path, text: str, time: int) -> None:
        path.write_text(text)
        os.utime(path, ns=(time, time))

    def replace(self, path: Path, text: str, time: int) -> None:
        """Another file of the same name, as editors write them."""
        other = path.with_suffix(".new")
        self.write(other, text, time)
        other.replace(path)

    def _read(self) -> LoadedSite:
        text = self.table.read_text()
        self.reads.append(text)
        self.seconds += self.read_takes
        _next(self.while_read)
        if text == "wrong":
            raise SiteProblems((Problem("devices.csv", 1, "it is wrong"),))
        return cast("LoadedSite", SimpleNamespace(files=(self.site, self.table), text=text))

    def _make(self, loaded: LoadedSite) -> str:
        self.made.append(cast("SimpleNamespace", loaded).text)
        _next(self.while_made)
        return self.made[-1]

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds
        _next(self.while_waiting)

    def settle(self, *known: Path) -> str:
        return read_settled(
            self._read,
            known or (self.site, self.table),
            self._make,
            wait=self._wait,
            monotonic=lambda: self.seconds,
            now=lambda: NOW,
        )[1]


def _next(happens: list[Callable[[], None]]) -> None:
    if happens:
        happens.pop(0)()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_files_that_nobody_has_touched_for_long_are_read_without_waiting(desk: Desk) -> None:
    assert desk.settle() == "first"
    assert (desk.reads, desk.waits) == (["first"], [])


@pytest.mark.parametrize("ahead", [-0.1, 0.1])
def test_a_file_written_just_now_by_whatever_clock_has_to_stay_for_a_quarter_of_a_second(
    desk: Desk, ahead: float
) -> None:
    desk.write(desk.table, "fresh", NOW + round(ahead * SECOND))
    assert desk.settle() == "fresh"
    assert desk.waits == [0.25]


def test_a_file_dated_ahead_by_another_machine_is_not_waited_for(desk: Desk) -> None:
    desk.write(desk.table, "ahead", NOW + 86_400 * SECOND)
    assert desk.settle() == "ahead"
    assert desk.waits == []


def test_what_reading_takes_is_part_of_the_moment(desk: Desk) -> None:
    desk.write(desk.table, "fresh", NOW)
    desk.read_takes = 0.2
    desk.settle()
    assert desk.waits == [pytest.approx(0.05)]
    desk.read_takes = 3.0
    desk.settle()
    assert desk.waits[1:] == [0.0]


@pytest.mark.parametrize("stage", ["while_read", "while_made", "while_waiting"])
def test_what_is_made_of_a_file_that_changes_meanwhile_is_thrown_away(desk: Desk, stage: str) -> None:
    desk.write(desk.table, "half", NOW)
    getattr(desk, stage).append(lambda: desk.write(desk.table, "whole", NOW + 1))
    assert desk.settle() == "whole"
    assert desk.reads == ["half", "whole"]
    assert desk.made == ["half", "whole"]


def test_another_file_of_the_same_size_and_time_is_another_file(desk: Desk) -> None:
    desk.while_read.append(lambda: desk.replace(desk.table, "other", LONG_AGO))
    assert desk.settle() == "other"


def test_a_file_that_grows_within_the_grain_of_its_time_has_changed(desk: Desk) -> None:
    desk.while_read.append(lambda: desk.write(desk.table, "longer than before", LONG_AGO))
    assert desk.settle() == "longer than before"


def test_a_file_written_over_by_as_much_has_changed(desk: Desk) -> None:
    desk.while_read.append(lambda: desk.write(desk.table, "FIRST", LONG_AGO + SECOND))
    assert desk.settle() == "FIRST"


def test_a_file_that_the_site_did_not_have_before_is_looked_at_too(desk: Desk) -> None:
    desk.write(desk.table, "fresh", NOW)
    desk.while_waiting.append(lambda: desk.write(desk.table, "whole", NOW + 1))
    assert desk.settle(desk.site) == "whole"


def test_a_mistake_is_one_only_if_nobody_is_writing(desk: Desk) -> None:
    desk.write(desk.table, "wrong", LONG_AGO)
    with pytest.raises(SiteProblems):
        desk.settle()
    assert len(desk.reads) == 1
    desk.while_read.append(lambda: desk.write(desk.table, "right", LONG_AGO + SECOND))
    assert desk.settle() == "right"


def test_files_that_never_settle_are_given_up_after_ten_seconds(desk: Desk) -> None:
    desk.read_takes = 3.0
    for number in range(5):
        desk.while_read.append(lambda at=number: desk.write(desk.table, f"part {at}", LONG_AGO + at + 1))
    with pytest.raises(FilesChangingError, match=r"devices\.csv is being written"):
        desk.settle()
    assert len(desk.reads) == 4
    assert desk.settle() == "part 4"
