"""The body that tells how the process itself does; see ``console.models`` for what they have in common."""

from dataclasses import dataclass
from typing import Annotated

from console.collection_models import TotalsAnswer
from console.models import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How many durations fell within which bound, since the start."""

    bounds: Annotated[tuple[float, ...], "s"]
    counts: Annotated[tuple[int, ...], "how many each was the first for; one more, for those beyond all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StallAnswer:
    """One time that the event loop was kept from its work for long."""

    ended: Moment
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopAnswer:
    """How long the event loop was kept from its work, each time it may have been."""

    lateness: Spread
    longest: Annotated[float, "s, since the start"]
    long_ones: Annotated[tuple[StallAnswer, ...], "the last 100 of 50 ms and more, the oldest first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksAnswer:
    """How ticks go."""

    ticks: int
    late: Annotated[int, "periods that passed without a tick"]
    durations: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAnswer:
    """How it stands with one store."""

    store: str
    up: bool
    written: Annotated[int, "readings it took since the start"]
    waiting: Annotated[int, "readings in the journal that it lacks"]
    lag: Annotated[float, "age of the oldest of those, s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAnswer:
    """The clock that readings are stamped by."""

    synchronised: Annotated[bool | None, "whether it follows a time server; null where that cannot be known"]
    ahead: Annotated[float, "how far it is ahead of the time that has gone by, s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessAnswer:
    """How the process does. Counts and CPU time are since the start."""

    time: Moment
    version: str
    cpu: Annotated[dict[str, float], "s of CPU time by stage; they add up to that of the process"]
    memory: Annotated[int | None, "bytes resident; null where the system does not tell"]
    points: Annotated[int, "points of devices"]
    unread: Annotated[int, "points of devices of which nothing has been heard yet, not even a failure"]
    polls: TotalsAnswer
    lateness: Annotated[Spread, "of polls: from the place on the grid to the values"]
    ticks: TicksAnswer
    loop: LoopAnswer
    readings: Annotated[int, "readings accepted"]
    dropped: Annotated[int, "readings shown, but lost to the journal"]
    journal_waiting: Annotated[int, "readings in memory before the journal"]
    stores: tuple[StoreAnswer, ...]
    clock: ClockAnswer
