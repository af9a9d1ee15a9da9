"""How long is waited before an endpoint or a broker is tried again."""

from random import Random

import pytest

from collectors.backoff import Backoff


class Fixed(Random):
    """The same draw each time."""

    def __init__(self, draw: float) -> None:
        super().__init__(0)
        self._draw = draw

    def random(self) -> float:
        return self._draw


@pytest.mark.parametrize(
    ("draw", "pauses"),
    [
        (1.0, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
        (0.0, [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]),
    ],
)
def test_pauses_double_up_to_half_a_minute_and_half_of_each_is_jitter(
    draw: float, pauses: list[float]
) -> None:
    backoff = Backoff(Fixed(draw))
    assert [backoff.pause() for _ in pauses] == pauses


def test_after_a_success_it_begins_with_the_short_one() -> None:
    backoff = Backoff(Fixed(1.0), first=1.0, cap=3.0)
    assert [backoff.pause() for _ in range(3)] == [1.0, 2.0, 3.0]
    backoff.reset()
    assert [backoff.pause() for _ in range(3)] == [1.0, 2.0, 3.0]
