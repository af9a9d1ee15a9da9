"""What comes up in reading a group when the device refuses something, until it is learned or dropped."""

from collectors.planning import Block
from facility.quality import Quality

NO_READS: frozenset[int] = frozenset()
"""Of a scan in which nothing came up."""


class Trial:
    """What came up in reading a group: made when something is refused or asked for again, so mostly never."""

    __slots__ = ("again", "failures", "halves", "lacks", "refused", "scan", "splits", "turn", "unfinished")

    def __init__(self) -> None:
        self.scan = 0
        """Counts the scans."""
        self.turn = 0
        """Counts what was asked for again."""
        self.failures: dict[Block, tuple[int, int]] = {}
        """Of each block the scans in a row with a failure, and the last of them."""
        self.splits: tuple[tuple[Block, int], ...] = ()
        """Blocks split while learning, and the first place of the second part."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what came up in one scan."""
        self.again = NO_READS
        """Reads that ask again for what was refused."""
        self.refused: tuple[tuple[Block, int], ...] = ()
        """Values alone that were refused, and with what."""
        self.halves = NO_READS
        """Reads that were split into later ones."""
        self.unfinished = False
        """Whether splitting goes on in the next scan."""
        self.lacks: Quality | None = None
        """Set if the device seems not to have something that was asked for."""
