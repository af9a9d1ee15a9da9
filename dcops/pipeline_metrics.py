"""The Prometheus metrics that every process with a journal has, whatever its part of the site."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.registry import Collector

from dcops.crew.members import Member
from dcops.crew.metrics import MemberMetrics
from dcops.metrics import BuildMetrics, Collecting, CollectionMetrics, SiteMetrics
from dcops.process_health import ProcessMetrics, Workings
from dcops.reload_state import ReloadState
from ingest.metrics import DeliveryMetrics, JournalMetrics, TickMetrics


def pipeline_metrics(
    workings: Workings,
    *,
    collection: Collecting,
    state: Callable[[], ReloadState],
    members: Sequence[Member],
) -> Iterator[Collector]:
    """From the site as it is loaded to the stores, and the process itself.

    Args:
        workings: what the process consists of.
        collection: all that is collected for it.
        state: how it goes with loading the site anew.
        members: the processes that collect for it.
    """
    yield BuildMetrics()
    yield SiteMetrics(state)
    yield TickMetrics(workings.tick)
    yield JournalMetrics(workings.spool)
    yield DeliveryMetrics(workings.deliveries, workings.spool, workings.clock)
    yield CollectionMetrics(collection)
    if members:
        yield MemberMetrics(members)
    yield ProcessMetrics(workings)
