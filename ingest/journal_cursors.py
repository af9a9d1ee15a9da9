"""How far each store has come, in the journal's file."""

import logging
from collections.abc import Iterable, Mapping

from ingest.cursors import Mark, Taken, amount, decode_spans, encode_spans
from ingest.journal_file import DamagedContentError, JournalFile, whole
from ingest.journal_rows import SPANS

_log = logging.getLogger(__name__)


class JournalCursors:
    """Those of one file. Call it where the file is open."""

    def __init__(self, file: JournalFile, stores: Iterable[str]) -> None:
        self._file = file
        self._taken: dict[str, Taken] = dict.fromkeys(stores, Taken())

    @property
    def taken(self) -> Mapping[str, Taken]:
        """What each store has."""
        return self._taken

    def kept(self) -> dict[str, Taken]:
        """What each store has as the file says, also those that the site names no more.

        Raises:
            DamagedContentError: it makes no sense.
        """
        kept: dict[str, Taken] = {}
        for store, *mark in self._file.rows("SELECT * FROM cursor"):
            kept[store] = Taken(Mark(*whole(tuple(mark))))
            row = self._file.numbers(
                "SELECT points_total, size_total FROM batch WHERE position = ?", kept[store].mark.position
            )
            if row is not None and row != tuple(mark[1:]):
                raise DamagedContentError(f"the cursor of store {store} says {mark}, its batch {row}")
        for key, text in self._file.rows(f"SELECT key, value FROM meta WHERE key LIKE '{SPANS}%'"):  # noqa: S608 - our own word
            store = key.removeprefix(SPANS)
            try:
                kept[store] = decode_spans(kept.get(store, Taken()).mark, text)
            except (ValueError, TypeError) as error:
                raise DamagedContentError(f"what store {store} has is {text!r}: {error}") from error
        return kept

    def take_up(self, kept: Mapping[str, Taken], start: Mark, end: Mark) -> None:
        """Go on from what the file says, in a file with batches from ``start`` to ``end``.

        A new store begins with the oldest; one that is gone is let go of.
        """
        self._taken = {
            store: taken.add(taken.mark, start)
            for store, taken in ((store, kept.get(store, Taken(start))) for store in self._taken)
        }
        for gone in kept.keys() - self._taken.keys():
            self._file.write("DELETE FROM cursor WHERE store = ?", gone)
            self._file.write("DELETE FROM meta WHERE key = ?", SPANS + gone)
            lacked = amount(kept[gone].add(kept[gone].mark, start).gaps(end)).points
            if lacked:
                _log.warning(
                    "journal %s: the site has no store %s any more; %d readings that it lacks are not kept"
                    " for it",
                    self._file.path,
                    gone,
                    lacked,
                )

    def move(self, store: str, taken: Taken) -> None:
        """Note what a store has from now on."""
        with self._file.unhurried():  # what a store is given again it has already
            self._file.write("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", store, *taken.mark)
            if taken.spans:
                spans = encode_spans(taken)
                self._file.write("INSERT OR REPLACE INTO meta VALUES (?, ?)", SPANS + store, spans)
            elif self._taken[store].spans:
                self._file.write("DELETE FROM meta WHERE key = ?", SPANS + store)
        self._taken[store] = taken

    def everywhere(self, end: Mark) -> int:
        """Up to which position every store has everything, in a file that ends there."""
        return min((taken.mark.position for taken in self._taken.values()), default=end.position)
