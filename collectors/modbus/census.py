"""All devices and endpoints, gone through one after the other: what is summed up of them at each scrape.

A campus has thirty thousand, most of which have left the processor's cache by then. So each is looked at
once for all that is wanted of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from collectors.health import CollectionTotals, DeviceState, DeviceTally
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint


def polls_of(readers: Sequence[DeviceReader], before: Mapping[str, int]) -> CollectionTotals:
    """What became of the polls of devices, added to what there was ``before``, by the same names."""
    due, done = before["due"], before["done"]
    missed, failed = before["missed"], before["failed"]
    samples = before["samples"]
    for reader in readers:
        due += reader.polls_due
        done += reader.polls_done
        missed += reader.polls_missed
        failed += reader.polls_failed
        samples += reader.samples
    return CollectionTotals(
        polls_due=due, polls_done=done, polls_missed=missed, polls_failed=failed, samples=samples
    )


def tally_of(
    readers: Sequence[DeviceReader], others: Sequence[DeviceState], exchanged_before: int
) -> DeviceTally:
    """How devices do, with the states of ``others`` and changes that were ``before``."""
    states = list(others)
    refused, exchanged = 0, exchanged_before
    for reader in readers:
        states.append(reader.state)
        refused += len(reader.lesson.refused)
        exchanged += reader.identity_changes
    return DeviceTally(states=Counter(states), refused=refused, identity_changes=exchanged)


def figures_and_errors_of(
    endpoints: Sequence[Endpoint], now: float
) -> tuple[list[float], dict[str, dict[str, int]]]:
    """The figures of each endpoint at a monotonic time, and the errors of those that have some, by their ids.

    Returns:
        Four figures an endpoint, as ``Endpoint.figures`` tells them, one endpoint after the other.
    """
    row: list[float] = []
    errors: dict[str, dict[str, int]] = {}
    for endpoint in endpoints:
        row += endpoint.figures(now)
        counts = endpoint.errors()
        if counts is not None:
            errors[endpoint.config.id] = counts
    return row, errors


def cycles_of(readers: Sequence[DeviceReader]) -> list[float]:
    """Seconds that reading each device takes; NaN before the first."""
    return [reader.cycle for reader in readers]
