"""Files that are too large for one step are worked on a range of series after the other."""

from collections.abc import Sequence

import numpy as np

from ingest.stores.history.files import StoredFile

MOST_ROWS = 1_500_000
"""About as many in one step, which bounds its memory, and in one file."""
MOST_BUCKETS = 150_000
"""Made in one step: DuckDB keeps some 250 bytes of each until all rows of the step are read."""


def series_ranges(
    files: Sequence[StoredFile], most: int = MOST_ROWS, buckets: int = 0
) -> list[tuple[int, int]]:
    """Ranges of series, first and last, with about so many rows each as a file should have.

    As the list of files tells it: the rows of a file are taken for spread evenly over its series. To count
    them would cost a tenth of merging them.

    Args:
        files: that hold the rows.
        most: rows of a range.
        buckets: that are made of each series, if any are. In the first minutes of all nearly each row becomes
            a bucket of its own: then there are fewer rows to a range.
    """
    if not files:
        return []
    firsts = np.array([file.first_series for file in files])
    ends = np.array([file.last_series for file in files]) + 1
    rows = np.array([file.rows for file in files])
    edges = np.unique(np.concatenate([firsts, ends]))
    density = np.zeros(len(edges))
    np.add.at(density, np.searchsorted(edges, firsts), rows / (ends - firsts))
    np.add.at(density, np.searchsorted(edges, ends), -rows / (ends - firsts))
    before = np.append(0.0, np.cumsum(np.cumsum(density)[:-1] * np.diff(edges)))
    made = min(int(rows.sum()), int(edges[-1] - edges[0]) * buckets)
    parts = max(1, round(int(rows.sum()) / most), round(made / MOST_BUCKETS))
    begins = np.unique(np.interp(np.arange(parts) * (rows.sum() / parts), before, edges).astype(np.int64))
    begins[0] = edges[0]
    return list(zip(begins.tolist(), [*(begins[1:] - 1).tolist(), int(edges[-1]) - 1], strict=True))


def lie_apart(files: Sequence[StoredFile]) -> bool:
    """Whether no series and time can be in two of them."""
    by_time = sorted(files, key=lambda file: file.first_time)
    for place, file in enumerate(by_time):
        for later in by_time[place + 1 :]:
            if later.first_time > file.last_time:
                break
            if later.first_series <= file.last_series and later.last_series >= file.first_series:
                return False
    return True
