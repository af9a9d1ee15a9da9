"""How long the platform's own history keeps what, as a site says it."""

from dcops.site_file.items import HistoryItem
from dcops.site_file.problems import Findings
from dcops.site_file.sections import Sections
from facility.sample import NANOSECONDS
from ingest.stores.history.levels import Retention

_DAY = 86_400 * NANOSECONDS
_GIGABYTE = 1_000_000_000


def read_retention(sections: Sections, findings: Findings) -> Retention:
    """What section ``history`` says; the defaults, with a problem noted, if it makes no sense."""
    item = sections.mapping("history", HistoryItem)
    try:
        return Retention(
            device=item.readings_days * _DAY,
            derived=item.derived_days * _DAY,
            minute=item.minute_days * _DAY,
            quarter=item.quarter_days * _DAY,
            hour=item.hour_days * _DAY,
            size=round(item.size_gb * _GIGABYTE),
        )
    except ValueError as error:
        node = sections.node("history")
        assert node is not None  # noqa: S101 - the defaults make sense
        findings.add(node.place, f"history: {error}")
        return Retention()
