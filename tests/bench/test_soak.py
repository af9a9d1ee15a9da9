"""The soak finds what is missing, doubled or invented; and a short one finds nothing of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.soak.ledger import Ledger
from bench.soak.load import Load, registers
from bench.soak.program import Life
from bench.soak.run import Options, soak
from bench.soak.stored import Rows
from bench.soak.verdict import Verdict, judge
from deploy.servers import MissingProgramError

SECOND = 1_000_000_000
LOAD = Load(rate=125)
"""One polled device; 20 that publish."""
LIVES = (Life(0, 10 * SECOND), Life(11 * SECOND, 20 * SECOND), Life(21 * SECOND, 30 * SECOND, killed=False))
LEDGER = Ledger(
    read_device=np.array([0, 0, 0, 0]),
    read_number=np.array([1, 2, 3, 4]),
    read_time=np.array([8 * SECOND, 9 * SECOND + 1, 10 * SECOND + 1, 25 * SECOND]),
    message_device=np.array([0, 19]),
    message_time=np.array([5000, 6000]),
)
KEPT = Verdict(
    messages=20,
    messages_due=20,
    messages_twice=0,
    polled=400,
    polled_due=400,
    polled_twice=0,
    excused=0,
    lost=0,
    oldest_lost=0.0,
    strange=0,
)


def stored(
    reads: tuple[int, ...] = (1, 2, 3, 4), messages: tuple[int, ...] = (0, 1)
) -> list[tuple[int, ...]]:
    """(device, point, ms, value) of all points of these."""
    rows = [(0, point, 1000 * n, (n + 331 * point) % 65536) for n in reads for point in range(100)]
    rows += [(1 + 19 * n, field, 5000 + 1000 * n, 16 * n + field) for n in messages for field in range(10)]
    return rows


def verdict(rows: list[tuple[int, ...]]) -> Verdict:
    columns = np.array(rows)
    held = Rows(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3].astype(np.float64))
    return judge(held, LEDGER, LOAD, LIVES)


def test_registers_tell_of_which_read_and_place_they_are() -> None:
    words = registers(2)
    assert (len(words), words[:4].hex(), words[-2:].hex()) == (200, "0002014d", "8003")


def test_what_is_all_there_is_kept() -> None:
    assert verdict(stored()) == KEPT
    assert KEPT.kept


@pytest.mark.parametrize(
    ("missing", "changed", "kept"),
    [
        (1, {"lost": 100, "oldest_lost": 2.0}, False),
        (2, {"excused": 100, "oldest_lost": 0.999999999}, True),
        (3, {"excused": 100, "oldest_lost": 0.0}, True),
        (4, {"lost": 100, "oldest_lost": 31_536_000.0}, False),
    ],
    ids=["before the last second", "in the last second", "answered to a dead one", "never killed"],
)
def test_a_read_may_be_missing_only_if_a_kill_followed_within_a_second(
    missing: int,
    changed: dict[str, float],
    kept: bool,  # noqa: FBT001
) -> None:
    found = verdict(stored(reads=tuple({1, 2, 3, 4} - {missing})))
    assert found == replace(KEPT, polled=300, **changed)  # type: ignore[arg-type]
    assert found.kept is kept


def test_a_message_may_never_be_missing() -> None:
    found = verdict(stored(messages=(0,)))
    assert found == replace(KEPT, messages=10)
    assert not found.kept


def test_a_reading_at_two_times_is_there_twice() -> None:
    found = verdict([*stored(), (0, 99, 4500, 32773)])
    assert found == replace(KEPT, polled_twice=1)
    assert not found.kept


def test_a_message_at_another_time_than_its_own_is_noticed() -> None:
    found = verdict([*stored(), (1, 9, 5001, 9)])
    assert found == replace(KEPT, messages_twice=1, strange=1)
    assert not found.kept


def test_a_message_without_a_time_may_come_at_any_later_one_but_once() -> None:
    rows = [(device, point, time + 4000 * (device == 20), value) for device, point, time, value in stored()]
    assert verdict(rows) == KEPT
    found = verdict([*rows, (20, 9, 10_001, 25)])
    assert found == replace(KEPT, messages_twice=1)
    assert not found.kept
    assert verdict([(*row[:2], 5999, row[3]) if row[0] == 20 else row for row in rows]).strange == 10


@pytest.mark.parametrize(
    "row",
    [(0, 0, 1000, 6), (0, 1, 1000, 1), (0, 0, 1000, -5), (1, 0, 5000, 32), (1, 1, 5000, 0), (2, 0, 5000, 0)],
    ids=["read", "place", "number", "message", "field", "device"],
)
def test_what_nobody_gave_is_noticed(row: tuple[int, ...]) -> None:
    found = verdict([*stored(), row])
    assert found == replace(KEPT, strange=1)
    assert not found.kept


def test_a_short_soak_keeps_all_promises(tmp_path: Path) -> None:
    # A machine that stands still for a second must not fail it; the long one is strict.
    options = Options(seconds=18.0, kills=5, rate=2000, seed=4, allowed_loss=4.0)
    try:
        outcome = soak(options, tmp_path, lambda _: None)
    except MissingProgramError as error:
        pytest.skip(str(error))
    assert outcome.reads > 80
    assert outcome.messages > 400
    assert sum(outcome.outages.values()) == 3
    assert (outcome.stop_code, outcome.tracebacks) == (0, 0)
    assert {name for name, found in outcome.verdicts.items() if not found.kept} == set()
