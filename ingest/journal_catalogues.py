"""The catalogues in the journal's file, each once, that its batches count over."""

from itertools import islice

from facility.catalogue import Catalogue
from ingest.catalogues import KeptCatalogue, decode_catalogue, digest
from ingest.errors import BatchCorruptError
from ingest.journal_file import JournalFile, whole

_MOST_KEPT = 8
"""So many may lie in the file before those are looked for over which no batch counts any more."""


class JournalCatalogues:
    """Those of one file. Call ``keep`` and ``of`` where the file is open."""

    def __init__(self, file: JournalFile, current: KeptCatalogue) -> None:
        self.current = current
        """What is appended counts over this one, once it is kept."""
        self.number = 0
        """Of the current one in the file."""
        self._file = file
        self._known: dict[int, Catalogue] = {}

    def forget(self) -> None:
        """The file is another one: its numbers mean other catalogues."""
        self._known.clear()

    def keep(self) -> None:
        """Have the current one in the file."""
        body, name = self.current.body, self.current.digest
        found = self._file.one("SELECT id, body FROM catalogue WHERE digest = ?", name)
        if found is None:
            self.number = self._file.write("INSERT INTO catalogue (digest, body) VALUES (?, ?)", name, body)
        else:
            (self.number,) = whole(found[:1])
            if found[1] != body:
                self._file.write("UPDATE catalogue SET body = ? WHERE digest = ?", body, name)
        # The one before stays at hand, for what was appended last is read next.
        latest = dict(islice(reversed(self._known.items()), 1))
        self._known = latest | {self.number: self.current.catalogue}
        self._let_go()

    def of(self, number: int) -> Catalogue:
        """The catalogue of a number in the file; the same object every time.

        Raises:
            BatchCorruptError: it is missing or damaged.
        """
        if number not in self._known:
            row = self._file.one("SELECT digest, body FROM catalogue WHERE id = ?", number)
            if row is None or not isinstance(row[1], bytes) or row[0] != digest(row[1]):
                raise BatchCorruptError(f"its catalogue, number {number}, is missing or damaged")
            self._known[number] = decode_catalogue(row[1])
        return self._known[number]

    def _let_go(self) -> None:
        """Each change of the site adds one, and that of a campus takes megabytes."""
        count = self._file.one("SELECT COUNT(*) FROM catalogue")
        if count is None or count[0] <= _MOST_KEPT:
            return
        used = {row[0] for row in self._file.rows("SELECT DISTINCT catalogue FROM batch")}
        used.add(self.number)
        for (number,) in list(self._file.rows("SELECT id FROM catalogue")):
            if number not in used:
                self._file.write("DELETE FROM catalogue WHERE id = ?", number)
                self._known.pop(number, None)  # its number may be given to another one
