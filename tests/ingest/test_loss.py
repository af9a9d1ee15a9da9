"""What a store loses at the journal's bounds is told when it begins and when it is over."""

import pytest

from ingest.loss import Loss, StoreLosses
from tests.ingest.plant import NOON, SECOND

MINUTE = 60 * SECOND


def test_a_loss_is_told_once_and_its_amount_after_ten_minutes_without_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    losses = StoreLosses(("influxdb", "history"))
    for minute in range(60):
        losses.add(
            "influxdb", 1440, NOON + minute * MINUTE, NOON + (minute + 1) * MINUTE, now=minute * MINUTE
        )
        losses.settle(minute * MINUTE)
    last = 59 * MINUTE
    losses.settle(last + 10 * MINUTE - 1)
    (begun,) = (record.message for record in caplog.records)
    assert begun.startswith("the journal is at its bound: store influxdb loses")
    assert "2026-01-01T12:00:00Z on" in begun
    losses.settle(last + 10 * MINUTE)
    losses.settle(last + 20 * MINUTE)
    (over,) = (record.message for record in caplog.records[1:])
    assert over == (
        "store influxdb lost 86400 readings accepted from 2026-01-01T12:00:00Z to 2026-01-01T13:00:00Z; "
        "the journal is within its bounds again"
    )


def test_a_loss_after_the_end_of_another_is_told_anew_and_counted_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    losses = StoreLosses(("influxdb",))
    losses.add("influxdb", 5, NOON, NOON + SECOND, now=0)
    losses.settle(10 * MINUTE)
    losses.add("influxdb", 2, NOON + MINUTE, NOON + 2 * MINUTE, now=11 * MINUTE)
    losses.settle(21 * MINUTE)
    amounts = [
        record.message.split(" accepted")[0] for record in caplog.records if " lost " in record.message
    ]
    assert amounts == ["store influxdb lost 5 readings", "store influxdb lost 2 readings"]
    assert len(caplog.records) == 4
    assert losses.total == {"influxdb": Loss(7, NOON, NOON + 2 * MINUTE)}


def test_nothing_lost_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    losses = StoreLosses(("influxdb",))
    losses.add("influxdb", 0, NOON, NOON, now=0)
    losses.settle(20 * MINUTE)
    assert caplog.records == []
    assert str(losses.total["influxdb"]) == "no readings"
