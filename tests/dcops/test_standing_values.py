"""What devices that report by exception said last, written and read."""

import pytest

from dcops.memory import MemoryUnreadableError
from dcops.standing_values import Remembered, decode, encode
from ingest.standing import StandingValue

NOON = 1_767_268_800_000_000_000
SAID = {"door": {"open": StandingValue(NOON, 1.0, 192)}, "leak": {"wet": StandingValue(NOON + 1, 0.1, 68)}}


ORIGINS = {"door": "192.0.2.20:1883 dcops/door 0", "leak": "192.0.2.20:1883 dcops/leak 0"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_written_is_read(*, whole: bool) -> None:
    remembered = Remembered(values=SAID, origins=ORIGINS, whole=whole)
    assert decode(encode(remembered)) == remembered


def test_what_was_written_before_origins_were_is_read() -> None:
    body = b'{"format": 1, "whole": true, "devices": {"door": {"open": [1767268800000000000, 1.0, 192]}}}'
    found = decode(body)
    assert found.still_from({}) == {"door": SAID["door"]}
    assert found.whole


def test_what_is_of_another_origin_by_now_is_left_out() -> None:
    remembered = Remembered(values=SAID, origins=ORIGINS, whole=True)
    assert remembered.still_from(ORIGINS) == SAID
    assert remembered.still_from(ORIGINS | {"leak": "192.0.2.21:1883 dcops/leak 0"}) == {"door": SAID["door"]}
    assert remembered.still_from({}) == {}
    assert Remembered(values=SAID, origins={}, whole=True).still_from(ORIGINS) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"format": 3, "whole": true, "devices": {}}',
        b'{"format": 1, "whole": true, "devices": {"door": {"open": [1]}}}',
        b'{"format": 1, "whole": true, "devices": {"door": 7}}',
    ],
)
def test_what_is_none_such_is_said(body: bytes) -> None:
    with pytest.raises(MemoryUnreadableError):
        decode(body)
