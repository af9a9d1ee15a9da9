"""How many alarms stand in each space, and how urgent the worst is."""

from json import loads

from console.alarms import AlarmTally
from console.showing import Shown
from console.spaces import SpacePlan
from facility.sample import NANOSECONDS
from tests.console.plant import Plant, alarm


def test_alarms_count_in_every_space_they_stand_in_with_the_worst_of_them(plant: Plant) -> None:
    plan = SpacePlan(plant.site, plant.catalogue)
    tally = AlarmTally(plan)
    tally.update(
        [
            alarm("x", "b1-h1-r1-k01", id="1", priority="low"),
            alarm("x", "b1-h1-r1-k02", id="2", priority="high"),
            alarm("x", "b1-h1-r2", id="3", priority="medium"),
            alarm("x", "campus", id="4", priority="low"),
            alarm("x", "nowhere", id="5", priority="high"),
        ]
    )

    found = {
        each.id: (int(tally.counts[at]), int(tally.ranks[at]))
        for at, each in enumerate(plan.spaces)
        if tally.counts[at] or tally.ranks[at]
    }
    assert found == {
        "campus": (4, 3),
        "b1": (3, 3),
        "b1-h1": (3, 3),
        "b1-h1-r1": (2, 3),
        "b1-h1-r1-k01": (1, 1),
        "b1-h1-r1-k02": (1, 3),
        "b1-h1-r2": (1, 2),
    }
    assert (tally.totals().high, tally.totals().medium, tally.totals().low) == (2, 1, 2)


def test_what_has_not_changed_is_not_counted_again(plant: Plant) -> None:
    tally = AlarmTally(SpacePlan(plant.site, plant.catalogue))
    standing = [alarm("x", "b1", id="1")]
    tally.update(standing)
    counts = tally.counts
    tally.update(list(standing))
    assert tally.counts is counts
    assert tally.revision == 1
    tally.update([])
    assert tally.revision == 2
    assert not tally.counts.any()
    assert not tally.ranks.any()


def test_a_revision_is_that_of_no_list_shown_before_a_reload(plant: Plant) -> None:
    """A page whose stream begins anew must see that another alarm stands, though it is one again."""
    plant.board.raise_alarm(alarm("x", "b1", id="1"))
    before = loads(Shown(plant.view()).feed.message(None))["alarms"]
    plant.board.clear("1", plant.clock.time)
    plant.board.raise_alarm(alarm("x", "b1", id="2"))
    plant.clock.time += NANOSECONDS
    after = loads(Shown(plant.view()).feed.message(None))["alarms"]
    assert (before["high"], after["high"]) == (1, 1)
    assert after["revision"] > before["revision"]
