"""What a store refused is kept for a person, up to a bound, and what is let go is counted."""

from pathlib import Path

import pytest

from ingest.errors import RefusedLine
from ingest.stores.dead_letters import DeadLetters
from tests.ingest.disks import small_disk
from tests.ingest.plant import StillClock


def line(text: str, reason: str = "type conflict") -> RefusedLine:
    return RefusedLine(f"{text}\n".encode(), 1, reason)


async def test_lines_stand_after_time_and_reason_and_can_be_written_as_they_stand(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "letters", StillClock())
    await letters.add("influx", [line("pdu v=1.0 1"), line("pdu v=2.0 2"), line("ups v=3.0 3", "too\nold")])
    await letters.add("influx", [line("pdu v=4.0 4")])
    await letters.add("other", [line("pdu v=5.0 5")])
    assert (tmp_path / "letters" / "influx.lines").read_text() == (
        "# 2026-01-01T12:00:00Z type conflict\n"
        "pdu v=1.0 1\n"
        "pdu v=2.0 2\n"
        "# 2026-01-01T12:00:00Z too old\n"
        "ups v=3.0 3\n"
        "# 2026-01-01T12:00:00Z type conflict\n"
        "pdu v=4.0 4\n"
    )
    assert letters.kept == {"influx": 4, "other": 1}
    assert letters.lost == {}


async def test_a_full_file_is_put_aside_and_the_one_before_goes(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, StillClock(), limit=100)
    for number in range(5):
        await letters.add("influx", [line(f"a{number}"), line(f"b{number}")])
    assert [each for each in (tmp_path / "influx.lines").read_text().split() if each[0] in "ab"] == [
        "a4",
        "b4",
    ]
    aside = (tmp_path / "influx.lines.1").read_text()
    assert [each for each in aside.split() if each[0] in "ab"] == ["a2", "b2", "a3", "b3"]
    assert letters.kept == {"influx": 10}
    assert letters.lost == {"influx": 4}


async def test_what_cannot_be_kept_is_said_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rejected").write_text("not a folder")
    letters = DeadLetters(tmp_path / "rejected", StillClock())
    await letters.add("influx", [line("1"), line("2")])
    await letters.add("influx", [line("3")])
    assert letters.lost == {"influx": 3}
    assert len(caplog.records) == 1


async def test_a_disk_that_fills_leaves_no_half_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        letters = DeadLetters(disk, StillClock())
        await letters.add("influx", [line("pdu v=1.0 1")])
        await letters.add("influx", [line("x" * 1000)] * 100)
        await letters.add("influx", [line("pdu v=2.0 2")])
        lines = (disk / "influx.lines").read_text().splitlines()
    assert [each for each in lines if not each.startswith("#")] == ["pdu v=1.0 1", "pdu v=2.0 2"]
    assert (letters.kept, letters.lost) == ({"influx": 2}, {"influx": 100})
