"""What one run is to be."""

from dataclasses import dataclass
from pathlib import Path

PRESETS = {1_000: "campus-1k", 10_000: "campus-10k", 100_000: "campus-100k", 1_000_000: "campus"}
"""Generated sites, by how many points they have in round numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run: a site, how often it is read, what else goes on, and for how long it is measured."""

    points: int
    """One of ``PRESETS``."""
    period: float = 10.0
    """Seconds between two readings of a device."""
    dead: float = 0.0
    """Share of the devices that never answer."""
    store: bool = False
    """Whether VictoriaMetrics takes everything beside the embedded history."""
    scrape: float = 0.0
    """Seconds between two scrapes of /metrics; 0: none while it is measured."""
    workers: int = 0
    """Processes that collect, as ``dcops run --workers`` takes them; 0 leaves it out."""
    seconds: float = 60.0
    """Length of what is measured."""
    base_port: int = 26_000
    """Port of the simulated devices."""
    folder: Path
    """For the site, data and logs; emptied first."""

    @property
    def name(self) -> str:
        """Its column in the table."""
        extras = [
            f"{self.points:,} points",
            f"{self.period:g} s",
            f"{self.dead:.0%} dead" if self.dead else "",
            "VictoriaMetrics" if self.store else "",
            f"scrape {self.scrape:g} s" if self.scrape else "",
            f"{self.workers} workers" if self.workers else "",
        ]
        return ", ".join(each for each in extras if each)

    @property
    def probes(self) -> int:
        """Devices that change at known times: few enough to cost next to nothing, also of a small site."""
        return {1_000: 4, 10_000: 10}.get(self.points, 20)
