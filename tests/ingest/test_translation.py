"""Readings of a former state of a site get the indices of the present one, by their names."""

import pytest

from facility.catalogue import Catalogue, Group
from ingest.batch import Batch, gather
from ingest.catalogues import KeptCatalogue
from ingest.translation import KnownCatalogues, Translation
from tests.ingest.plant import GRID, K1_PDU, K2_DOOR, NOON, catalogue, sample


def without(*ids: str) -> Catalogue:
    """The catalogue as if some devices were not there."""
    groups: list[Group] = []
    first = 0
    for group in catalogue().groups:
        if group.id not in ids:
            groups.append(group._replace(first=first))
            first += len(group.fields)
    return Catalogue(tuple(groups), catalogue().device_count - len(ids))


def batch() -> Batch:
    return gather(
        [
            sample(GRID, NOON, [1.0, 2.0]),
            sample(K1_PDU, NOON + 1, [3.0, 4.0, 50.0], [192, 64, 192]),
            sample(K2_DOOR, NOON + 2, [1.0]),
        ],
        NOON + 3,
    )


def readings(found: Batch | None) -> list[tuple[int, int, float, int]]:
    assert found is not None
    each = found.expand()
    return list(
        zip(
            each.points.tolist(),
            each.times.tolist(),
            each.values.tolist(),
            each.quality.tolist(),
            strict=True,
        )
    )


def test_points_behind_one_that_is_gone_move_up() -> None:
    found = Translation(catalogue(), without("grid")).apply(batch())
    assert readings(found.batch) == [
        (0, NOON + 1, 3.0, 192),
        (1, NOON + 1, 4.0, 64),
        (2, NOON + 1, 50.0, 192),
        (8, NOON + 2, 1.0, 192),
    ]
    assert found.batch.accepted == NOON + 3
    assert readings(found.gone) == [(0, NOON, 1.0, 192), (1, NOON, 2.0, 192)]


def test_points_behind_one_that_is_new_move_down() -> None:
    found = Translation(without("grid"), catalogue()).apply(gather([sample(0, NOON, [3.0, 4.0, 50.0])], NOON))
    assert readings(found.batch) == [(2, NOON, 3.0, 192), (3, NOON, 4.0, 192), (4, NOON, 50.0, 192)]
    assert found.gone is None


def test_what_is_left_out_is_told_by_name() -> None:
    translation = Translation(catalogue(), without("grid"))
    gone = translation.apply(batch()).gone
    assert gone is not None
    lines = translation.refused(gone)
    assert sum(line.points for line in lines) == 2
    assert b"grid" in lines[0].body
    assert lines[0].reason == "the site has no such point any more"


def test_the_same_catalogue_leaves_a_batch_as_it_is() -> None:
    given = batch()
    assert Translation(catalogue(), without()).apply(given).batch is given


def test_former_states_are_understood_for_a_while() -> None:
    states = [KeptCatalogue(without(*ids)) for ids in ([], ["grid"], ["grid", "k1-pdu-a"], ["k1-pdu-a"])]
    known = KnownCatalogues(states[0])
    for state in states[1:]:
        known.change(state)
    assert all(known.knows(state.digest) for state in states)
    assert known.digest == states[3].digest
    door = gather([sample(0, NOON, [5.0, 6.0])], NOON)
    assert [each[0] for each in readings(known.translate(states[0].digest, door))] == [0, 1]  # the grid
    assert readings(known.translate(states[1].digest, door)) == []  # k1-pdu-a, which is gone
    assert [each[0] for each in readings(known.translate(states[2].digest, door))] == [2, 3]  # k2-pdu-a
    known.change(KeptCatalogue(without("k2-pdu-a")))
    assert not known.knows(states[0].digest)
    with pytest.raises(KeyError):
        known.translate(states[0].digest, door)
