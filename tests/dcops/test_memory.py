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
    assert remembered.counters == {}
