"""The way of a journal back to its place on the disk, after somebody removed or replaced its file while in
use: when it is tried, and what is told of it.
"""

import logging
from pathlib import Path

_log = logging.getLogger(__name__)

_MOST_SKIPPED = 63
"""Tries left out between two that fail: each one may copy all of the file."""
_AT_RISK = "it is lost when dcops ends"


class WayBack:
    """Of one file. Each trouble is told once, and once that all are over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: set[str] = set()
        self._skipped = 0
        """How many tries were left out before the last one."""
        self._to_skip = 0

    def begin(self) -> None:
        """The file has lost its place."""
        self._tell("removed", "was removed or replaced while in use: it is to be written anew")

    def is_due(self) -> bool:
        """Whether to try now. It is asked again and again; after each failure it says no for longer."""
        if self._to_skip:
            self._to_skip -= 1
            return False
        return True

    def lacks_room(self, needed: int, free: int) -> None:
        """The disk has no room for it, bytes. That is cheap to see, so it is looked at each time."""
        bytes_lacking = f"{needed} bytes are needed, {free} are free"
        trouble = f"was removed and there is no room to write it anew: {bytes_lacking}"
        self._tell("no room", f"{trouble}; {_AT_RISK}, so free some space")

    def failed(self, mend: str) -> None:
        """It could not be put there; ``mend`` says why and what to do."""
        self._tell(mend, f"cannot be written anew: {mend}; {_AT_RISK}, and is tried again ever less often")
        self._to_skip = self._skipped = min(2 * self._skipped + 1, _MOST_SKIPPED)

    def reached(self) -> None:
        """The file is in its place."""
        if self._told:
            _log.info("journal %s is in its place again, with all that is in it", self._path)
        self._told.clear()
        self._skipped = self._to_skip = 0

    def _tell(self, trouble: str, text: str) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            _log.error("journal %s %s", self._path, text)
