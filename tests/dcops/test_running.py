"""What a process does before its event loop runs."""

import sys
from collections.abc import Iterator

import pytest

from dcops.running import run_async


@pytest.fixture
def usual_hand_over() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("usual_hand_over")
def test_a_thread_that_computes_hands_over_to_the_loop_within_a_fraction_of_a_millisecond() -> None:
    seen: list[float] = []

    async def work() -> int:
        seen.append(sys.getswitchinterval())
        return 0

    sys.setswitchinterval(0.005)
    assert run_async("dcops run", work) == 0
    assert seen == [pytest.approx(0.00002)]
