"""What lives as long as the process is not searched for garbage."""

import gc

import pytest

from dcops.garbage import no_search, spare_what_lives


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
