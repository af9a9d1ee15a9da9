"""What lives as long as the process is not searched for garbage."""

import gc
from collections.abc import Callable

import pytest

from dcops.garbage import no_search, spare_what_lives, spared_as_it_settles


class Node:
    """Part of a ring."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def searched_again():
    yield
    gc.unfreeze()
    gc.enable()
    gc.collect()


def test_what_is_built_meanwhile_is_left_out_of_every_search() -> None:
    gc.unfreeze()
    with no_search():
        assert not gc.isenabled()
        built = [Node() for _ in range(1000)]
    assert gc.isenabled()
    assert not {id(each) for each in gc.get_objects()} & {id(each) for each in built}


def test_garbage_of_building_is_removed_before() -> None:
    with no_search():
        Node()
        before = sum(isinstance(each, Node) for each in gc.get_objects())
    gc.unfreeze()
    assert (before, sum(isinstance(each, Node) for each in gc.get_objects())) == (1, 0)


def test_a_failure_to_build_leaves_the_search_on() -> None:
    with pytest.raises(ValueError, match="no site"), no_search():
        raise ValueError("no site")
    assert gc.isenabled()


def test_what_came_later_can_be_spared_too() -> None:
    built = [Node()]
    spare_what_lives()
    assert id(built[0]) not in {id(each) for each in gc.get_objects()}


class Later:
    """Calls that are to come, when they are told to."""

    def __init__(self) -> None:
        self.calls: dict[float, Callable[[], None]] = {}
        self.cancelled: list[float] = []

    def __call__(self, seconds: float, call: Callable[[], None]) -> "Due":
        self.calls[seconds] = call
        return Due(self, seconds)


class Due:
    """One of them."""

    def __init__(self, later: Later, seconds: float) -> None:
        self._later, self._seconds = later, seconds

    def cancel(self) -> None:
        self._later.cancelled.append(self._seconds)


def test_what_the_start_makes_is_left_out_time_and_again_for_its_first_minute() -> None:
    later, made = Later(), [Node()]
    with spared_as_it_settles(later):
        assert list(later.calls) == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
        for call in later.calls.values():
            made.append(Node())
            call()
            assert not {id(each) for each in gc.get_objects()} & {id(each) for each in made}
        assert later.cancelled == []
    assert later.cancelled == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]


def test_a_start_that_fails_leaves_nothing_out_later() -> None:
    later = Later()
    with pytest.raises(ValueError, match="no port"), spared_as_it_settles(later):
        raise ValueError("no port")
    assert later.cancelled == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
