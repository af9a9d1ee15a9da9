"""Which messages are acknowledged, when, and how one that comes again is known."""

from collectors.mqtt_receipts import Receipts

MANY = 1000


def test_messages_are_acknowledged_in_order_once_their_batch_is_kept() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.take(2, 222, 1)
    receipts.take(3, 333, 2)
    assert receipts.due(MANY) == []
    receipts.settle(1, frozenset())
    assert receipts.due(1) == [1]
    assert receipts.due(MANY) == [2]
    receipts.settle(2, frozenset())
    assert receipts.due(MANY) == [3]
    assert (receipts.due(MANY), receipts.waiting) == ([], 0)


def test_a_message_in_a_kept_batch_waits_for_those_before_it() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.take(2, 222, 0)  # nothing came of it
    assert receipts.due(MANY) == []
    receipts.settle(1, frozenset())
    assert receipts.due(MANY) == [1, 2]


def test_a_message_that_comes_again_before_it_is_kept_is_known_and_acknowledged_once() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.reconnect(resumed=True)
    assert receipts.waiting == 0
    assert receipts.knows(1, 111, again=True)
    assert receipts.due(MANY) == []
    receipts.settle(1, frozenset())
    assert receipts.due(MANY) == [1]
    assert receipts.due(MANY) == []


def test_one_whose_acknowledgement_was_lost_is_known_and_acknowledged_again() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.settle(1, frozenset())
    assert receipts.due(MANY) == [1]
    receipts.reconnect(resumed=True)
    assert receipts.knows(1, 111, again=True)
    assert receipts.due(MANY) == [1]


def test_another_message_may_have_the_identifier_of_an_acknowledged_one() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.settle(1, frozenset())
    receipts.due(MANY)
    assert not receipts.knows(1, 222, again=True)
    assert not receipts.knows(1, 111, again=False)  # the same reading published once more


def test_a_new_session_knows_nothing() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.reconnect(resumed=False)
    assert not receipts.knows(1, 111, again=True)
    receipts.settle(1, frozenset())
    assert receipts.due(MANY) == []


def test_what_is_lost_was_never_taken_and_is_owed_until_the_next_connection() -> None:
    receipts = Receipts(10)
    receipts.take(1, 111, 1)
    receipts.take(2, 222, 2)
    receipts.settle(2, frozenset({1}))
    assert receipts.owed
    assert receipts.due(MANY) == []
    receipts.reconnect(resumed=True)
    assert not receipts.owed
    assert not receipts.knows(1, 111, again=True)
    receipts.take(1, 111, 3)
    assert receipts.knows(2, 222, again=True)
    assert receipts.due(MANY) == []
    receipts.settle(3, frozenset())
    assert receipts.due(MANY) == [1, 2]


def test_acknowledged_ones_are_remembered_up_to_the_limit() -> None:
    receipts = Receipts(2)
    for mid in (1, 2, 3):
        receipts.take(mid, mid, 1)
    receipts.settle(1, frozenset())
    receipts.due(MANY)
    receipts.reconnect(resumed=True)
    assert [receipts.knows(mid, mid, again=True) for mid in (1, 2, 3)] == [False, True, True]


def test_what_an_earlier_process_noted_is_known_when_it_comes_again_and_acknowledged_at_once() -> None:
    before = Receipts(10)
    notes = [before.take(1, 111, 1) + before.take(2, 2**64 - 1, 1), before.take(65535, 333, 2)]
    receipts = Receipts(10)
    receipts.recall(notes)
    receipts.reconnect(resumed=True)
    assert receipts.due(MANY) == []
    assert receipts.knows(2, 2**64 - 1, again=True)
    assert receipts.knows(65535, 333, again=True)
    assert receipts.due(MANY) == [2, 65535]
    assert not receipts.knows(1, 111, again=False), "the identifier is that of another message by now"
    assert not receipts.knows(1, 112, again=True)


def test_what_an_earlier_process_noted_is_forgotten_with_its_session() -> None:
    receipts = Receipts(10)
    receipts.recall([Receipts(10).take(1, 111, 1)])
    receipts.reconnect(resumed=False)
    assert not receipts.knows(1, 111, again=True)


def test_no_more_notes_are_remembered_than_messages_can_be_under_way() -> None:
    before = Receipts(10)
    receipts = Receipts(2)
    receipts.recall([before.take(mid, 100 + mid, 1) for mid in (1, 2, 3)])
    assert [receipts.knows(mid, 100 + mid, again=True) for mid in (1, 2, 3)] == [False, True, True]
