"""How late the scans of a device are, reckoned from its place on the grid."""

from facility.durations import BOUNDS
from tests.collectors.driving import SILENCE, Drive, Registers, profile_of

MS = 1_000_000


def test_a_scan_is_late_by_the_time_from_its_place_on_the_grid() -> None:
    # "device-1" is due 25 ms after each twentieth of a second, and is read at whole seconds.
    drive = Drive(profile_of(words=[0]))
    drive.scan(Registers({0: 1}))
    drive.clock.time += 10 * MS
    drive.scan(Registers({0: 1}))
    counted = {BOUNDS[at] // MS: count for at, count in enumerate(drive.lateness.counts[:-1]) if count}
    assert counted == {30: 1, 40: 1}
    assert drive.lateness.total == 60 * MS


def test_a_scan_at_the_full_second_is_late_by_what_its_place_lies_before_it() -> None:
    # Of a second "device-1" has its place at 840 ms.
    drive = Drive(profile_of(words=[0]), period=1.0)
    drive.scan(Registers({0: 1}))
    assert drive.lateness.total == 160 * MS


def test_a_scan_that_fails_has_no_lateness() -> None:
    drive = Drive(profile_of(words=[0]))
    silent = Registers({0: 1})
    silent.answer = lambda _: SILENCE
    drive.scan(silent)
    assert drive.lateness.counts == [0] * (len(BOUNDS) + 1)
