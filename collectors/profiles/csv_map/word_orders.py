"""Which word of a longer value comes first, as a map tells it in words: taken only where they are sure."""

import re
from collections.abc import Iterator, Sequence

from collectors.profiles import Order
from collectors.profiles.csv_map.registers import Place
from collectors.profiles.csv_map.rows import MapRow

_LITTLE = re.compile(
    r"\b(?:LSW|least significant (?:word|register)|low(?:er)?(?:[- ]order)? word)[- ]first"
    r"|\bword[- ]swapped|\bword_?order\s*=\s*little|\bCDAB\b",
    re.IGNORECASE,
)
_SPOKEN_OF = re.compile(
    rf"{_LITTLE.pattern}|\bword[- ]swap|\bswapped words|\blittle[- ]endian|\b(?:BADC|DCBA)\b", re.IGNORECASE
)
_BYTES = re.compile(r"\bbyte[- ]swap|\bbytes (?:are )?swapped", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(?:MSW|most significant word|high(?:er)?(?:[- ]order)? word)\b|\bABCD\b"
    r"|\b(?:not|no|can|may|either|select\w*|setting|configur\w*|option\w*|depend\w*|enable\w*|more than)\b"
    r"|\b(?:strings?|texts?|serial|part number|model|version|firmware)\b|\ban? (?:LSW|word|low)",
    re.IGNORECASE,
)
"""Words of another order beside, of a choice, or of some values only."""
_OF_TEXTS = re.compile(r"\b(?:strings?|texts?|ascii)\b", re.IGNORECASE)
_HIGH_FIRST = frozenset({Order.ABCD, Order.BADC})


def little_of(clauses: Sequence[str]) -> str:
    """The clause of a comment that surely says the least significant word comes first; "" for none."""
    return next((each for each in clauses if _LITTLE.search(each) and not _DOUBT.search(each)), "")


def is_little(row: MapRow, comment: str) -> bool:
    """Whether the low word of a row without a word order comes first, by its words or by the comment."""
    told = row.description
    return not row.word_order and (bool(comment) or bool(_LITTLE.search(told) and not _DOUBT.search(told)))


def notes_of(clauses: Sequence[str], places: Sequence[Place]) -> Iterator[tuple[int, str]]:
    """What was taken from words about orders, and what was not, as (line, message)."""
    longer = [at for at in places if at.data is not None and at.length > 1]
    for at in longer:
        match = _LITTLE.search(at.row.description)
        if match and at.row.word_order and at.order in _HIGH_FIRST and not _DOUBT.search(at.row.description):
            kept = f"word_order {at.row.word_order} is kept, though its description says {match[0]!r}"
            yield at.row.line, f"{at.row.name}: {kept}"
    if all(at.row.word_order for at in longer):
        return
    taken = little_of(clauses)
    for clause in clauses:
        if clause == taken:
            yield 1, f"word_order little is taken from {clause!r} for rows without one"
        elif _SPOKEN_OF.search(clause) or (_BYTES.search(clause) and not _OF_TEXTS.search(clause)):
            yield 1, f"no word order is taken from {clause!r}; write word_order in the rows it is about"
