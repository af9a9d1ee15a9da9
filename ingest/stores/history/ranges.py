"""Files that are too large for one step are worked on a range of series after the other."""

from collections.abc import Sequence

import duckdb
import numpy as np

from ingest.stores.history.files import Folder, StoredFile, scan

MOST_ROWS = 4_000_000
"""About as many in one step, which bounds its memory, and in one file."""


def series_ranges(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[StoredFile], folder: Folder
) -> list[tuple[int, int]]:
    """Ranges of series, first and last, with about so many rows as a file should have."""
    if not files:
        return []
    first, last = min(f.first_series for f in files), max(f.last_series for f in files)
    if sum(file.rows for file in files) <= MOST_ROWS:
        return [(first, last)]
    rows = scan(folder.place(file) for file in files)
    query = f"SELECT series, count(*) AS rows FROM {rows} GROUP BY series ORDER BY series"  # noqa: S608
    found = cursor.execute(query).fetchnumpy()
    part = np.cumsum(found["rows"]) // MOST_ROWS
    begins = found["series"][np.flatnonzero(np.append(True, part[1:] != part[:-1]))].tolist()
    return list(zip(begins, [*(begin - 1 for begin in begins[1:]), last], strict=True))
