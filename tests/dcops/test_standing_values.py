"""What devices that report by exception said last, written and read."""

import pytest

from dcops.memory import MemoryUnreadableError
from dcops.standing_values import decode, encode
from ingest.standing import StandingValue

NOON = 1_767_268_800_000_000_000
SAID = {"door": {"open": StandingValue(NOON, 1.0, 192)}, "leak": {"wet": StandingValue(NOON + 1, 0.1, 68)}}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_written_is_read(*, whole: bool) -> None:
    assert decode(encode(SAID, whole=whole)) == (SAID, whole)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"format": 2, "whole": true, "devices": {}}',
        b'{"format": 1, "whole": true, "devices": {"door": {"open": [1]}}}',
        b'{"format": 1, "whole": true, "devices": {"door": 7}}',
    ],
)
def test_what_is_none_such_is_said(body: bytes) -> None:
    with pytest.raises(MemoryUnreadableError):
        decode(body)
