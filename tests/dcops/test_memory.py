import io
import json

import numpy as np
import pytest

from dcops.memory import MemoryUnreadableError, decode, encode
from facility.sample import NANOSECONDS
from tests.facility.plant import START, Bench, small_site


def _run(bench, first, last):
    for second in range(first, last, 10):
        now = START + second * NANOSECONDS
        for feed in "ab":
            bench.read(f"utility-{feed}", now, active_power=36e3, active_energy=10.0 * second)
            for rack in ("k1", "k2", "k3", "k4"):
                bench.read(f"{rack}-pdu-{feed}", now, active_power=7.2e3, active_energy=2.0 * second)
        bench.tick(now)


def test_what_was_remembered_comes_back_the_same():
    before = Bench(small_site())
    _run(before, 0, 300)
    remembered = decode(encode(before.derived.remember()))
    after = Bench(small_site())
    after.derived.restore(remembered)
    _run(after, 300, 310)
    assert after.value("campus.facility_energy") == pytest.approx(6000.0)
    assert after.value("campus.pue.3.15min.pue") == pytest.approx(1.25)
    assert after.value("campus.pue.3.15min.coverage") == pytest.approx(300 / 900, abs=20 / 900)


@pytest.mark.parametrize("damage", [lambda b: b[:-30], lambda b: b"", lambda b: b"\0" * len(b)])
def test_damaged_memory_is_refused_in_one_clear_error(damage):
    bench = Bench(small_site())
    _run(bench, 0, 100)
    with pytest.raises(MemoryUnreadableError, match="cannot be read"):
        decode(damage(encode(bench.derived.remember())))


def test_memory_of_nothing_is_valid():
    remembered = decode(encode(Bench(small_site()).derived.remember()))
    assert remembered.rolling == ()
    assert {int(each.states.time.max()) for each in remembered.counters.values()} == {0}


def test_what_the_version_before_remembered_is_taken_up():
    # Written by hand as format 1 was: rows of (energy, device, state) and (rollup, device, share).
    state = {"reading": 600.0, "time": START, "counted": 590.0, "estimated": 0.0, "open": 0.0}
    header = {
        "format": 1,
        "ratios": [],
        "rolling": 0,
        "fixed": [],
        "first": False,
        "counters": [["energy", "k1-pdu-a", state], ["facility_energy", "gone", state]],
        "shares": [["power", "k1-pdu-b", 0.25]],
    }
    body, none = io.BytesIO(), np.zeros((0, 0))
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(body, header=text, times=np.zeros(0, np.int64), upper=none, lower=none, covered=none)
    bench = Bench(small_site())
    bench.derived.restore(decode(body.getvalue()))
    again = decode(encode(bench.derived.remember()))
    counters, shares = again.counters["energy"], again.shares["power"]
    at = counters.devices.index("k1-pdu-a")
    assert (counters.states.reading[at], counters.states.time[at]) == (600.0, START)
    assert (counters.states.counted[at], counters.states.open_estimated[at]) == (590.0, 0.0)
    assert shares.shares[shares.devices.index("k1-pdu-b")] == 0.25
    assert np.isnan(shares.shares[shares.devices.index("k1-pdu-a")])


def test_memory_of_a_later_version_is_refused():
    body = io.BytesIO()
    np.savez(body, header=np.frombuffer(b'{"format": 3}', dtype=np.uint8))
    with pytest.raises(MemoryUnreadableError, match="format 3, expected 2"):
        decode(body.getvalue())
