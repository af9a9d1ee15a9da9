"""What the field has noted of its own: each read it answered and each message a broker acknowledged."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Columns of one length for reads, and of one for messages."""

    read_device: Column
    read_number: Column
    """Counts each device's reads."""
    read_time: Column
    """Ns UTC: when it was answered."""
    message_device: Column
    """Messages by their number: that of the first is 0."""
    message_time: Column
    """Ms UTC: its own time, whether it tells it or not."""

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        """What a field has saved."""
        with np.load(path) as columns:
            return cls(**{name: columns[name] for name in columns.files})


class Notes:
    """A ledger that is being written."""

    def __init__(self) -> None:
        self._reads = (array("q"), array("q"), array("q"))
        self._messages = (array("q"), array("q"))

    @property
    def messages(self) -> int:
        """Published so far: the number of the next one."""
        return len(self._messages[0])

    def read(self, device: int, number: int, time: int) -> None:
        """A read was answered."""
        for column, value in zip(self._reads, (device, number, time), strict=True):
            column.append(value)

    def message(self, device: int, time: int) -> None:
        """A message is to be published."""
        for column, value in zip(self._messages, (device, time), strict=True):
            column.append(value)

    def save(self, path: Path) -> None:
        """Write all to a file."""
        names = ("read_device", "read_number", "read_time", "message_device", "message_time")
        columns = (*self._reads, *self._messages)
        found = {name: np.array(column, np.int64) for name, column in zip(names, columns, strict=True)}
        np.savez(path, **found)  # type: ignore[arg-type]  # its stubs take names for flags
