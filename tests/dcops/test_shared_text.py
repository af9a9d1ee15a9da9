"""A text that is made once for all who ask at the same time."""

from collections.abc import Iterator

import pytest

from dcops import shared_text
from dcops.shared_text import SharedText


class Made:
    """Pieces, and how many were made."""

    def __init__(self, count: int, *, fails: bool = False) -> None:
        self.count = 0
        self._most = count
        self._fails = fails

    def __iter__(self) -> Iterator[bytes]:
        for at in range(self._most):
            self.count += 1
            yield str(at).encode()
        if self._fails:
            raise LookupError("broken")


def test_two_readers_in_turn_have_the_same_text_and_it_is_made_once() -> None:
    made = Made(3)
    text = SharedText(made)
    one, other = text.read(), text.read()
    assert [next(one), next(one), next(other)] == [b"0", b"1", b"0"]
    assert made.count == 2
    third = text.read()
    assert list(third) == [b"0", b"1", b"2"]
    assert list(one) == [b"2"]
    assert list(other) == [b"1", b"2"]
    assert made.count == 3


def test_nothing_is_made_before_it_is_read() -> None:
    made = Made(3)
    SharedText(made).read()
    assert made.count == 0


def test_it_is_open_while_it_is_made_and_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(shared_text, "monotonic", lambda: now)
    text = SharedText(Made(2))
    assert text.is_open
    now = 100.999
    assert text.is_open
    now = 101.0
    assert not text.is_open
    now = 100.5
    assert list(text.read()) == [b"0", b"1"]
    assert not text.is_open
    with pytest.raises(ValueError, match="closed"):
        text.read()


def test_who_reads_on_has_the_rest_of_a_closed_text() -> None:
    text = SharedText(Made(2))
    reader = text.read()
    next(reader)
    text.close()
    assert list(reader) == [b"1"]


def test_no_reader_takes_a_text_that_broke_off_for_a_whole_one() -> None:
    text = SharedText(Made(1, fails=True))
    one, other = text.read(), text.read()
    next(other)
    with pytest.raises(LookupError):
        list(one)
    with pytest.raises(RuntimeError, match="broke off"):
        list(other)
