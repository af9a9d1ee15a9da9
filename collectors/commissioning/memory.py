"""What has been asked of one unit and what it answered, so that nothing is asked twice."""

import struct

from collectors.modbus import Answer, Fault, FaultKind
from collectors.planning import Block
from collectors.profiles import Register, Table

_ILLEGAL_FUNCTION = 1
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})


class Memory:
    """Answers of one unit by what was asked."""

    def __init__(self) -> None:
        self._answers: dict[tuple[Table, int, int], Answer] = {}
        self._missing: set[Table] = set()

    def __len__(self) -> int:
        return len(self._answers)

    def note(self, block: Block, answer: Answer) -> None:
        """Keep an answer. Illegal function means the device does not have the whole table."""
        self._answers[block.table, block.address, block.count] = answer
        if answer == Fault(FaultKind.EXCEPTION, _ILLEGAL_FUNCTION):
            self._missing.add(block.table)

    def find(self, table: Table, address: int, count: int) -> Answer | None:
        """What is known of a read: its own answer or a part of a longer one; None if it must be asked."""
        known = self._answers.get((table, address, count))
        if known is not None:
            return known
        if table in self._missing:
            return Fault(FaultKind.EXCEPTION, _ILLEGAL_FUNCTION)
        if table in _BIT_TABLES:
            return None
        for (held, first, length), answer in self._answers.items():
            inside = held is table and first <= address and address + count <= first + length
            if inside and isinstance(answer, bytes):
                return answer[2 * (address - first) : 2 * (address - first + count)]
        return None

    def words(self, table: Table, address: int, count: int) -> tuple[int, ...] | None:
        """Registers, if they are known; None otherwise."""
        answer = self.find(table, address, count)
        if table in _BIT_TABLES or not isinstance(answer, bytes) or len(answer) != 2 * count:
            return None
        return struct.unpack(f">{count}H", answer)

    def words_of(self, register: Register) -> tuple[int, ...] | None:
        """The registers of a value, if they are known."""
        return self.words(register.table, register.address, register.length)
