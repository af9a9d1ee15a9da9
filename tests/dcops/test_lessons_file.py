"""Lessons outlive the process, and nothing in their file keeps it from starting."""

import json
from pathlib import Path

import pytest

from collectors.profiles import Table
from dcops.lessons_file import open_lessons
from tests.collectors.driving import profile_of

PROFILE = profile_of(words=range(4))


def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    lessons = open_lessons(tmp_path / "data")
    lesson = lessons.of("gw", 7, PROFILE)
    lesson.refused = {(Table.HOLDING, 2): 2}
    lesson.cuts |= {(Table.HOLDING, 3)}
    lesson.start = 40070
    lesson.identity = {"serial": "BX-1 é"}
    lessons.save()

    again = open_lessons(tmp_path / "data").of("gw", 7, PROFILE)

    assert again.refused == {(Table.HOLDING, 2): 2}
    assert again.cuts == {(Table.HOLDING, 3)}
    assert again.start == 40070
    assert again.identity == {"serial": "BX-1 é"}
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == ["lessons.json"]


def test_the_file_can_be_read_by_a_person(tmp_path: Path) -> None:
    lessons = open_lessons(tmp_path)
    lessons.of("gw", 7, PROFILE).refused = {(Table.HOLDING, 2): 2}
    lessons.save()
    (entry,) = json.loads((tmp_path / "lessons.json").read_text())["lessons"]
    assert entry == {
        "endpoint": "gw",
        "unit": 7,
        "profile": "test",
        "map": "7355e89b01995ec3",
        "refused": [["holding", 2, 2]],
        "cuts": [],
        "start": None,
        "identity": {},
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'"text"',
        b'{"dcops_lessons": 2, "lessons": []}',
        b'{"dcops_lessons": 1}',
        b'{"dcops_lessons": 1, "lessons": [{"endpoint": "gw"}]}',
        (
            b'{"dcops_lessons": 1, "lessons": [{"endpoint": "gw", "unit": "7", "profile": "p", "map": "m",'
            b' "refused": [], "cuts": [], "start": null, "identity": {}}]}'
        ),
        (
            b'{"dcops_lessons": 1, "lessons": [{"endpoint": "gw", "unit": 7, "profile": "p", "map": "m",'
            b' "refused": [["shelf", 2, 2]], "cuts": [], "start": null, "identity": {}}]}'
        ),
    ],
)
def test_a_file_that_holds_no_lessons_is_set_aside_with_a_warning(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lessons.json").write_bytes(content)

    lessons = open_lessons(tmp_path)

    assert not lessons.of("gw", 7, PROFILE)
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("lessons.unreadable-")
    assert aside.read_bytes() == content
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"it is set aside as {aside.name}" in record.getMessage()


def test_a_folder_in_its_place_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lessons.json").mkdir()
    lessons = open_lessons(tmp_path)
    lessons.of("gw", 7, PROFILE).start = 1
    lessons.save()
    lessons.save()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "cannot be saved" in caplog.records[1].getMessage()
