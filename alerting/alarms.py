"""An alarm: a condition at one place that asks for a person's action."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Category(StrEnum):
    """Where an alarm comes from; they are never mixed in one list without saying so."""

    PROCESS = "process"
    """A measured value is where it must not be."""
    COMMUNICATION = "communication"
    """Values do not arrive, so nothing can be said about the process."""
    PLATFORM = "platform"
    """The platform itself needs a person, or it loses what it has read."""


class Priority(StrEnum):
    """How much a late answer costs."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One occurrence of an alarm, from when it was raised until it cleared."""

    id: str
    """``RULE:DEVICE.POINT``. Names the condition, so the next occurrence has the same id."""
    rule: str
    category: Category
    priority: Priority
    device: str
    """Id of the device, else of the space or endpoint it is about, or the part of the platform."""
    point: str
    """Name of the point; empty if the alarm is about a whole device."""
    space: str
    """Id of the space it is about, or that the device stands in."""
    value: float | None
    """What raised it, in base units; None if no value is involved."""
    limit: float | None
    unit: str
    message: str
    """What is wrong, where, by how much: readable without a dashboard."""
    action: str
    """What a person should do."""
    raised: int
    """Source time of the reading that raised it: ns, UTC. Communication alarms: time of detection."""
    cleared: int | None = None
    """When it ended, likewise; None while it is active."""
    runbook: str = ""
    """Anchor in the runbook, or a URL."""

    @property
    def edition(self) -> tuple[Priority, float | None, str, str]:
        """What its rule says of it; another once the rule has been changed."""
        return self.priority, self.limit, self.action, self.runbook

    def runbook_at(self, base: str) -> str:
        """Address of its section where the runbook is at ``base``; empty if it has none."""
        return self.runbook if not self.runbook or "://" in self.runbook else f"{base}#{self.runbook}"

    def as_record(self) -> dict[str, str | float | int | None]:
        """Plain values by field name, for JSON."""
        return asdict(self)


def alarm_from_record(record: dict[str, str | float | int | None]) -> Alarm:
    """The alarm that ``as_record`` made the record of.

    Raises:
        ValueError, TypeError, KeyError: it is not such a record.
    """
    fields = dict(record)
    fields["category"] = Category(str(record["category"]))
    fields["priority"] = Priority(str(record["priority"]))
    return Alarm(**fields)  # type: ignore[arg-type]  # a wrong name raises, which is the contract
