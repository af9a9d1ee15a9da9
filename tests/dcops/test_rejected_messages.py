"""Messages of no use lie in the data folder, within bounds."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from dcops.rejected_messages import FORMER, NAME, RejectedMessages

NOON = 1_767_268_800_000_000_000


class NoonClock:
    def now(self) -> int:
        return NOON

    async def sleep_until(self, at: int) -> None:
        raise AssertionError


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_tells_when_where_why_and_what(tmp_path: Path) -> None:
    messages = RejectedMessages(tmp_path / "data", NoonClock())
    messages.put("broker", "a/b", "not JSON: 'Offline'", b"Offline")
    messages.put("broker", "a/c", "too large", b"\xff" * 5000)
    messages.write()
    first, second = lines(tmp_path / "data" / NAME)
    assert first == {
        "time": 1767268800.0,
        "broker": "broker",
        "topic": "a/b",
        "reason": "not JSON: 'Offline'",
        "size": 7,
        "payload": "Offline",
    }
    assert second["size"] == 5000
    assert second["payload_base64"] == "////" * 1365 + "/w=="


def test_a_full_file_takes_the_place_of_the_former_one(tmp_path: Path) -> None:
    messages = RejectedMessages(tmp_path, NoonClock(), most_bytes=300)
    for number in range(8):
        messages.put("broker", f"t/{number}", "not JSON", b"x" * 30)
        messages.write()
    topics = [line["topic"] for name in (FORMER, NAME) for line in lines(tmp_path / name)]
    assert topics == ["t/3", "t/4", "t/5", "t/6", "t/7"]


def test_what_cannot_be_written_is_given_up_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "dcops")
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    messages = RejectedMessages(folder, NoonClock())
    for _ in range(2):
        messages.put("broker", "t", "not JSON", b"x")
        messages.write()
    assert messages.dropped == 2
    assert len(caplog.records) == 1


async def test_what_is_left_at_the_end_is_written(tmp_path: Path) -> None:
    messages = RejectedMessages(tmp_path, NoonClock())
    task = asyncio.create_task(messages.run())
    await asyncio.sleep(0)
    messages.put("broker", "t", "not JSON", b"x")
    task.cancel()
    await asyncio.wait([task])
    assert len(lines(tmp_path / NAME)) == 1
