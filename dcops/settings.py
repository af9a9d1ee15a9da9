"""How a site is run, apart from what it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dcops.crew.roles import Role
from dcops.site_file import LoadedSite
from facility.sample import NANOSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a site is run, apart from what it is."""

    data: Path
    """Folder of the journal, the history, lessons and dead letters; made if it is not there."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    allowed_hosts: frozenset[str] = frozenset()
    """Names by which page and API may be asked for; none let any do on an outer address."""
    tick_period: int = NANOSECONDS
    """Between ticks, ns of the clock."""
    speed: float = 1.0
    """Seconds of the clock a real second."""
    role: Role = field(default_factory=Role)
    """What of the site this process collects itself, and who else does."""
    believe_clock: bool = False
    """The clock is right, however far it is ahead of when the site ran last."""
    record: Path | None = None
    """Where to write everything the collectors saw, to be replayed."""
    load: Callable[[], LoadedSite] | None = None
    """Reads the site anew; None if it is not to be loaded anew."""
    on_listening: Callable[[int], None] = lambda _: None
    """Told the port once the console is served."""
