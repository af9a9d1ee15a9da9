"""A unit that answers from literal words, such as those of a manual or of a recorded device."""

from collections.abc import Mapping

from collectors.profiles import Table
from simulators.wire.answering import MOST_BITS, Identification, Refusal, RefusedError

_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})


class RegisterBank:
    """Registers and bits as they are given; all other addresses are refused with exception 2."""

    def __init__(
        self,
        words: Mapping[Table, Mapping[int, int]],
        max_registers: int = 125,
        *,
        identification: Identification | None = None,
    ) -> None:
        """Args:
        words: by table and protocol address: 16 bits in a table of registers, 0 or 1 in one of bits. The
            mappings are kept, so that a caller may change what is read.
        max_registers: more in one read are refused with exception 3.
        identification: what it answers to function 43/14, if it does.
        """
        self.silent = False
        self.identification = identification
        self._words = words
        self._max_registers = max_registers

    def read(self, table: Table, address: int, count: int) -> bytes:
        """Data bytes of the reply to a read.

        Raises:
            RefusedError: the quantity is not possible, or an address is not there.
        """
        of_bits = table in _BIT_TABLES
        if not 1 <= count <= (MOST_BITS if of_bits else self._max_registers):
            raise RefusedError(Refusal.ILLEGAL_VALUE)
        held = self._words.get(table, {})
        try:
            words = [held[each] for each in range(address, address + count)]
        except KeyError:
            raise RefusedError(Refusal.ILLEGAL_ADDRESS) from None
        if not of_bits:
            return b"".join(word.to_bytes(2, "big") for word in words)
        packed = sum((word & 1) << at for at, word in enumerate(words))
        return packed.to_bytes((count + 7) // 8, "little")
