"""A unit of literal words."""

import pytest

from collectors.profiles import Table
from simulators.wire.answering import Refusal, RefusedError
from simulators.wire.bank import RegisterBank

WORDS = {
    Table.HOLDING: {10: 0x4366, 11: 0x8000, 13: 0xFFFF},
    Table.COIL: dict(enumerate([1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1])),
}


def test_words_and_bits_are_answered_as_they_are() -> None:
    bank = RegisterBank(WORDS)
    assert bank.read(Table.HOLDING, 10, 2).hex() == "43668000"
    assert bank.read(Table.COIL, 0, 11).hex() == "cd05"
    assert not bank.silent


@pytest.mark.parametrize(
    ("table", "address", "count", "code"),
    [
        (Table.HOLDING, 12, 1, Refusal.ILLEGAL_ADDRESS),
        (Table.HOLDING, 11, 2, Refusal.ILLEGAL_ADDRESS),
        (Table.INPUT, 10, 1, Refusal.ILLEGAL_ADDRESS),
        (Table.COIL, 0, 12, Refusal.ILLEGAL_ADDRESS),
        (Table.HOLDING, 10, 0, Refusal.ILLEGAL_VALUE),
        (Table.HOLDING, 10, 3, Refusal.ILLEGAL_VALUE),
        (Table.COIL, 0, 2001, Refusal.ILLEGAL_VALUE),
    ],
)
def test_what_is_not_there_is_refused(table: Table, address: int, count: int, code: Refusal) -> None:
    with pytest.raises(RefusedError) as refused:
        RegisterBank(WORDS, max_registers=2).read(table, address, count)
    assert refused.value.code == code
