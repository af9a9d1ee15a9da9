"""The file of the newest readings."""

import os
from pathlib import Path

import numpy as np
import pytest

from ingest.stores.history import hot_log
from ingest.stores.history.hot_log import Frame, HotLog
from ingest.stores.history.runs import made


def frame(position: int) -> Frame:
    runs = made(
        np.array([3, 9], np.uint32),
        np.array([2, 1], np.uint32),
        np.array([1000, 2000], np.int64),
        np.array([1.5, 2.5, 3.5]),
        np.array([192, 192, 64], np.uint8),
    )
    return Frame("journal", ((position, position),), runs)


def test_a_frame_is_whole_though_the_system_takes_only_some_bytes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writev(handle: int, parts: list[memoryview]) -> int:
        return os.write(handle, b"".join(parts)[:7])

    monkeypatch.setattr(hot_log.os, "writev", writev)
    log = HotLog(tmp_path / "hot-00000001.log")
    log.append(frame(1))
    log.append(frame(2))
    log.close()
    first, second = log.read()
    assert (first.journal, first.positions, second.positions) == ("journal", ((1, 1),), ((2, 2),))
    for each in (first, second):
        assert each.runs.first.tolist() == [3, 9]
        assert each.runs.time.tolist() == [1000, 2000]
        assert each.runs.value.tolist() == [1.5, 2.5, 3.5]
        assert each.runs.quality.tolist() == [192, 192, 64]
