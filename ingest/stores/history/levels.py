"""What is kept at which fineness, and for how long.

A level is either raw (readings as they came) or made of buckets of one length. All times are ms, UTC;
buckets and partitions begin at whole multiples of their length since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facility.sample import NANOSECONDS

MILLISECOND = NANOSECONDS // 1000
"""In ns."""
SECOND, DAY = 1000, 86_400_000
"""In ms."""

RAW_COLUMNS = "series, time, value, quality"
BUCKET_COLUMNS = "series, time, minimum, maximum, total, last, usable, covered, quality"

_DAYS = DAY * MILLISECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One fineness. Its data lie in partitions: what is merged, and what goes when it is too old."""

    key: str
    length: int
    """Of a bucket; 0 for readings."""
    partition: int
    """Length of a partition."""

    @property
    def columns(self) -> str:
        """Of its files."""
        return BUCKET_COLUMNS if self.length else RAW_COLUMNS


DEVICE = Level(key="device", length=0, partition=DAY)
"""What devices said."""
DERIVED = Level(key="derived", length=0, partition=DAY)
"""Rollups of spaces and key figures."""
MINUTE = Level(key="1min", length=60 * SECOND, partition=10 * DAY)
QUARTER = Level(key="15min", length=900 * SECOND, partition=100 * DAY)
HOUR = Level(key="1h", length=3600 * SECOND, partition=1000 * DAY)

RAW = (DEVICE, DERIVED)
BUCKETS = (MINUTE, QUARTER, HOUR)
"""Finest first; each is made of the one before, the first of readings."""
LEVELS = {level.key: level for level in (*RAW, *BUCKETS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, in ns before now, and how much disk they may take.

    A partition goes when its last moment is too old. Beyond ``size`` the oldest partition of readings goes
    first, then of one minute, and so on; what is being filled now stays.
    """

    device: int = 35 * _DAYS
    """What devices said."""
    derived: int = 400 * _DAYS
    """Rollups of spaces and key figures: a reporting year and a month."""
    minute: int = 90 * _DAYS
    quarter: int = 731 * _DAYS
    hour: int = 3653 * _DAYS
    size: int = 64 * 2**30
    """Bytes of files."""

    def __post_init__(self) -> None:
        ages = self.ages()
        for key, age in ages.items():
            if age < DAY:
                raise ValueError(f"{key} can't be kept for {age} ms; a day is the least")
        if not ages[MINUTE.key] <= ages[QUARTER.key] <= ages[HOUR.key]:
            raise ValueError("coarser buckets can't go before finer ones: keep 1 min ≤ 15 min ≤ 1 h")
        if self.size < 2**20:
            raise ValueError(f"{self.size} bytes are too few for a history; give at least 1 MiB")

    def ages(self) -> Mapping[str, int]:
        """Ms by level."""
        return {
            DEVICE.key: self.device // MILLISECOND,
            DERIVED.key: self.derived // MILLISECOND,
            MINUTE.key: self.minute // MILLISECOND,
            QUARTER.key: self.quarter // MILLISECOND,
            HOUR.key: self.hour // MILLISECOND,
        }
