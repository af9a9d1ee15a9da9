"""Where the journal lacks batches, and whether that is known: what is only not found, as a damaged page leads
elsewhere, must not be taken for what is gone.
"""

from bisect import bisect_right

from ingest.cursors import Mark
from ingest.journal_file import DamagedContentError, JournalFile
from ingest.positions import Ranges, added

_HOLES = """
SELECT before + 1, position - 1
FROM (SELECT position, lag(position, 1, 0) OVER (ORDER BY position) AS before FROM batch)
WHERE position > before + 1
"""
_CHECKED_SHARE = 10
"""After a look through the whole file, damaged batches alone are no reason for another one until one in so
many bytes of it is new."""


class KnownGaps:
    """Positions of one file that are known to hold nothing. Call it where the file is open."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._gone: Ranges = ()
        self._checked = 0
        """Bytes ever appended from which on damaged batches are a reason to look through the file."""

    def note(self, position: int) -> None:
        """There is nothing at this one any more."""
        self._gone = added(self._gone, [(position, position)])

    def has(self, first: int, last: int) -> bool:
        """Whether all of these are known to hold nothing."""
        at = bisect_right(self._gone, first, key=lambda each: each[0]) - 1
        return at >= 0 and last <= self._gone[at][1]

    def forget(self, up_to: int | None = None) -> None:
        """What lies up to a position is not asked for any more; without one, the file is another one."""
        self._gone = () if up_to is None else tuple(each for each in self._gone if each[1] > up_to)
        if up_to is None:
            self._checked = 0

    def check(self, end: Mark, *, is_whole: bool) -> None:
        """See whether something that seems to be missing is only not found, as rows lie in no order; what is
        missing up to ``end`` is known afterwards.

        That takes minutes where there are many gigabytes. So if all that was asked for ``is_whole`` but for
        damaged batches, one look serves for a long time: the next one is not far then.

        Raises:
            DamagedContentError: not all is found.
        """
        if is_whole and end.size < self._checked:
            return
        found = self._file.one("PRAGMA quick_check(1)")
        if found is None or found[0] != "ok":
            raise DamagedContentError(f"not all of it is found: {found and found[0]}")
        self._checked = end.size + self._file.size() // _CHECKED_SHARE
        last = self._file.numbers("SELECT coalesce(max(position), 0) FROM batch")
        holes = [(first, last) for first, last in self._file.rows(_HOLES)]
        if last is not None and last[0] < end.position:
            holes.append((last[0] + 1, end.position))
        self._gone = added(self._gone, holes)


class Walk:
    """Rows as they are read in order, one after the other: whether any is missing between them."""

    def __init__(self, gaps: KnownGaps, after: Mark) -> None:
        """They begin after a mark."""
        self.is_whole = True
        """Nothing is missing so far that is not known to be."""
        self._gaps = gaps
        self._position = after.position
        self._points: int | None = after.points

    def pass_sound(self, position: int, begin: int, end: int) -> None:
        """The next one, and how many readings were ever written up to where it begins and ends."""
        if begin != self._points:
            self._pass(position)
        self._position, self._points = position, end

    def pass_damaged(self, position: int) -> None:
        """The next one, of which nothing but its position is believed."""
        self._pass(position)
        self._position, self._points = position, None

    def finish(self, last: int) -> None:
        """There is none up to this position any more."""
        if self._position < last:
            self._pass(last + 1)

    def _pass(self, position: int) -> None:
        first, last = self._position + 1, position - 1
        if first != position and not (first <= last and self._gaps.has(first, last)):
            self.is_whole = False
