"""The catalogues in the journal's file, each once, that its batches count over."""

from itertools import islice

from facility.catalogue import Catalogue
from ingest.catalogues import KeptCatalogue, decode_catalogue, digest
from ingest.errors import BatchCorruptError
from ingest.journal_file import JournalFile


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
            self.number = int(found[0])
            if found[1] != body:
                self._file.write("UPDATE catalogue SET body = ? WHERE digest = ?", body, name)
        # The one before stays at hand, for what was appended last is read next.
        latest = dict(islice(reversed(self._known.items()), 1))
        self._known = latest | {self.number: self.current.catalogue}

    def of(self, number: int) -> Catalogue:
        """The catalogue of a number in the file; the same object every time.

        Raises:
            BatchCorruptError: it is missing or damaged.
        """
        if number not in self._known:
            row = self._file.one("SELECT digest, body FROM catalogue WHERE id = ?", number)
            if row is None or row[0] != digest(row[1]):
                raise BatchCorruptError(f"its catalogue, number {number}, is missing or damaged")
            self._known[number] = decode_catalogue(row[1])
        return self._known[number]
