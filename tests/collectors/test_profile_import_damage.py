"""Register maps that are damaged, or written to do damage: told with lines, never a crash, never a hang."""

import pytest

from collectors.errors import ProfileError
from collectors.profiles.csv_map import import_map
from tests.collectors.imports import HEADER, imported


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f'{HEADER}\na,holding,1,u16,,,,,"open\nb,holding,2,u16,,,,,\n',
            "acme.csv:2: from here on the rows cannot be told apart: unexpected end of data; close every",
        ),
        (
            f'{HEADER}\na,holding,1,u16,,,,,\nb,holding,2,u16,,,,,"{"x" * 140_000}"\n',
            "acme.csv:3: from here on the rows cannot be told apart: field larger than field limit",
        ),
        (
            f"{HEADER}\na,holding,1,u16,,,,,{'x' * 4001}\n",
            "acme.csv:2: 'description' has 4001 characters; shorten it to 4000",
        ),
        (f"{HEADER}\na,holding,{'9' * 4500},u16,,,,,\n", "acme.csv:2: 'address' has 4500 characters"),
        (f"# {'x' * 8001}\n{HEADER}\na,holding,1,u16,,,,,\n", "acme.csv:1: the comment has 8001 characters"),
        (
            f"{HEADER}\na,holding,1,bit,,,,,bit=32\n",
            "acme.csv:2: 'a': bit 32; write the address of the register it lies in, and which of its bits",
        ),
        (
            f'{HEADER}\na,holding,1,u16,,"0,1",,,\n',
            "scale is '0,1'; it must be a number, with a decimal point",
        ),
    ],
)
def test_a_damaged_map_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ProfileError) as caught:
        import_map(text, "acme.csv")
    assert told in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system_are_rows(end: str) -> None:
    text = end.join(["# source: A (B).", HEADER, "a,holding,1,u16,,,,,one\u2028line", "b,holding,2,u16,,,,,"])
    assert [point.name for point in import_map(text, "acme.csv").profile.points] == ["a", "b"]


def test_columns_may_be_parted_by_tabs() -> None:
    text = f"{HEADER}\na,holding,1,u16,,0.1,,V,".replace(",", "\t")
    assert [point.name for point in import_map(text, "acme.csv").profile.points] == ["a"]


def test_a_scale_too_small_to_divide_by_is_no_crash() -> None:
    found = imported("a,holding,1,u16,,1e-320,,A,999.5 = no sensor")
    assert [point.name for point in found.profile.points] == ["a"]


_FRAGMENTS = (
    "a ",
    "is ",
    "-1=",
    "0=a, ",
    "strings ",
    "two hi ",
    "9",
    "a_",
    "negative ",
    "0xFFFF for ",
    "1, and ",
)


@pytest.mark.parametrize("fragment", _FRAGMENTS)
def test_words_that_go_on_and_on_do_not_hang_the_import(fragment: str) -> None:
    """Expressions that look for words at every place of a text take minutes where they are not bounded."""
    words = (fragment * 4000)[:3900]
    found = imported(f'a,holding,1,u16,,,,A,"invalid {words}"', comment=f"registers {words} {words[:3900]}")
    assert [point.name for point in found.profile.points] == ["a"]
