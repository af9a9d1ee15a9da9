"""What a store has of the journal, when it was given the newest first."""

from ingest.cursors import Mark, Span, Taken, amount, decode_spans, encode_spans


def mark(position: int) -> Mark:
    return Mark(position, 10 * position, 100 * position)


def spans(*pairs: tuple[int, int]) -> tuple[Span, ...]:
    return tuple(Span(mark(first), mark(last)) for first, last in pairs)


def test_what_follows_the_mark_moves_it() -> None:
    assert Taken(mark(3)).add(mark(3), mark(5)) == Taken(mark(5))
    assert Taken(mark(3)).add(mark(1), mark(5)) == Taken(mark(5))
    assert Taken(mark(3)).add(mark(1), mark(2)) == Taken(mark(3))


def test_what_lies_beyond_is_kept_apart_until_the_gap_is_closed() -> None:
    taken = Taken(mark(3)).add(mark(8), mark(9)).add(mark(9), mark(10))
    assert taken == Taken(mark(3), spans((8, 10)))
    taken = taken.add(mark(20), mark(21))
    assert taken == Taken(mark(3), spans((8, 10), (20, 21)))
    assert taken.end == mark(21)
    taken = taken.add(mark(3), mark(8))
    assert taken == Taken(mark(10), spans((20, 21)))
    assert taken.add(mark(10), mark(30)) == Taken(mark(30))


def test_spans_that_touch_or_overlap_become_one() -> None:
    taken = Taken(mark(0), spans((2, 4), (6, 8), (10, 12)))
    assert taken.add(mark(3), mark(10)) == Taken(mark(0), spans((2, 12)))


def test_what_a_store_has_is_what_lies_up_to_its_mark_and_in_its_spans() -> None:
    taken = Taken(mark(3), spans((8, 10)))
    assert [position for position in range(1, 13) if taken.has(position)] == [1, 2, 3, 9, 10]


def test_gaps_are_counted_from_their_marks() -> None:
    taken = Taken(mark(3), spans((8, 10), (20, 21)))
    assert tuple(taken.gaps(mark(25))) == spans((3, 8), (10, 20), (21, 25))
    assert amount(taken.gaps(mark(25))) == Mark(19, 190, 1900)
    assert tuple(taken.gaps(mark(21))) == spans((3, 8), (10, 20))
    assert tuple(taken.gaps(mark(8))) == spans((3, 8))
    assert tuple(taken.gaps(mark(5))) == spans((3, 5))
    assert tuple(Taken(mark(7)).gaps(mark(7))) == ()


def test_spans_are_read_as_they_were_written() -> None:
    taken = Taken(mark(3), spans((8, 10), (20, 21)))
    assert decode_spans(mark(3), encode_spans(taken)) == taken
    assert decode_spans(mark(9), encode_spans(taken)) == Taken(mark(10), spans((20, 21)))
