"""Word orders that a map tells in words: taken where they are sure, told in any case."""

import pytest

from collectors.profiles import Order
from tests.collectors.imports import imported, notes, register

ROWS = ("power,holding,1,f32,,1,,kW,", "energy,holding,3,u32,big,1,,kWh,", "volts,holding,5,u16,,1,,V,")


@pytest.mark.parametrize(
    "comment",
    [
        "low word first",
        "LSW-first 32-bit values",
        "all 32-bit values are word-swapped",
        "word_order=little",
        "low order word first",
        "32-bit values: LSW first by default",
        "32-bit order is CDAB",
    ],
)
def test_an_order_of_the_comment_is_that_of_rows_that_say_none(comment: str) -> None:
    found = imported(*ROWS, comment=comment)
    assert register(found, "power").order is Order.CDAB
    assert register(found, "energy").order is Order.ABCD
    assert f"acme.csv:1: word_order little is taken from {comment!r} for rows without one" in notes(found)


@pytest.mark.parametrize(
    "comment",
    [
        "word order is selectable: MSW first or LSW first (default MSW first)",
        "not word swapped",
        "word swap can be enabled in register 93 (0 = high word first, 1 = low word first)",
        "strings are word-swapped",
        "serial number is LSW first",
        "part number is an LSW-first 64-bit integer",
        "32-bit integers are word-swapped, floats are not",
        "values of more than 2 registers are word swapped",
        "little endian",
        "32-bit order is BADC",
        "bytes are swapped in floats",
    ],
)
def test_an_order_of_the_comment_that_is_not_sure_is_told(comment: str) -> None:
    found = imported(*ROWS, comment=comment)
    assert register(found, "power").order is Order.ABCD
    assert f"acme.csv:1: no word order is taken from {comment!r}; write word_order" in notes(found)


@pytest.mark.parametrize("comment", ["low word first", "not word swapped"])
def test_an_order_of_the_comment_is_no_matter_where_rows_say_theirs(comment: str) -> None:
    found = imported(*ROWS[1:], comment=comment)
    assert "word order" not in notes(found)
    assert "word_order" not in notes(found)


def test_an_order_in_the_description_of_a_row_is_taken() -> None:
    found = imported("power,holding,1,f32,,1,,kW,LSW first", "energy,holding,3,u32,,1,,kWh,")
    assert register(found, "power").order is Order.CDAB
    assert register(found, "energy").order is Order.ABCD


def test_a_description_that_contradicts_the_word_order_is_told() -> None:
    found = imported("power,holding,1,f32,big,1,,kW,LSW first")
    assert register(found, "power").order is Order.ABCD
    assert "acme.csv:3: power: word_order big is kept, though its description says 'LSW first'" in notes(
        found
    )
