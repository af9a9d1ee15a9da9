"""Several lists of things kept behind each other in one: what a step of numpy takes, it then takes once."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def stretches(counts: Iterable[int]) -> list[slice]:
    """Where each of some lists, of so many things, lies in one of all."""
    return [slice(*ends) for ends in pairwise(accumulate(counts, initial=0))]


def renumbered(parts: Sequence[Ints], counts: Iterable[int]) -> Ints:
    """Numbers of things, list behind list, as they are where the lists, of so many things, are one."""
    moved = (part + own.start for part, own in zip(parts, stretches(counts), strict=True))
    return np.concatenate([np.empty(0, dtype=np.int64), *moved])


def flags(parts: Iterable[Bools]) -> Bools:
    """Those of several lists in one; there may be no list."""
    return np.concatenate([np.empty(0, dtype=np.bool_), *parts])
