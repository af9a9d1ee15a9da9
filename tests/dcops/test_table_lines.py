"""The lines of a table's text."""

import pytest

from dcops.site_file import tables


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("id,name\r\na,1\r\nb,2", ["id,name\r\n", "a,1\r\n", "b,2"]),
        ("id\n\na\n", ["id\n", "\n", "a\n"]),
        ("id\ra\rb\r", ["id\r", "a\r", "b\r"]),
        ("id\na\u2028b\nc", ["id\n", "a\u2028b\n", "c"]),
    ],
)
@pytest.mark.parametrize("at_once", [1, 3, 8, 1000])
def test_lines_are_those_of_the_file_however_many_are_split_at_once(
    monkeypatch: pytest.MonkeyPatch, text: str, lines: list[str], at_once: int
) -> None:
    monkeypatch.setattr(tables, "_SPLIT_AT_ONCE", at_once)
    assert tables._lines(text) == lines
