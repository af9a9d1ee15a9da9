"""Names of the metrics that dashboards ask for; those of quantities and points come from naming."""

from enum import StrEnum

from facility.devices import Feed
from facility.naming import point_metric, prometheus_name
from facility.point_types import POINT_TYPES, Behaviour
from facility.quantities import ENERGIES, QUANTITIES

QUANTITY_OF = {each.key: each for each in QUANTITIES}
ENERGY_OF = {each.key: each for each in ENERGIES}
POWER_A, POWER_B = (next(each.key for each in QUANTITIES if each.feed is feed) for feed in Feed)
"""Keys of the power at the racks on each feed."""

NODE_INFO = prometheus_name("node_info", "1")
"""1 for each space, with its name and position as labels."""
PUE = prometheus_name("pue", "1")
ERF = prometheus_name("erf", "1")
WUE = prometheus_name("wue", "L/kWh")
POWER_RATIO_INSTANT = prometheus_name("power_ratio_instant", "1")
DEVICE_AGE = prometheus_name("device_age", "s")
DEVICE_QUALITY = prometheus_name("device_quality", "1")


class Pipeline(StrEnum):
    """What the platform says about itself; ``ingest`` and ``dcops`` expose these."""

    TICK_LAST = "dcops_tick_last_duration_seconds"
    TICK_DURATION = "dcops_tick_duration_seconds"
    TICKS_LATE = "dcops_ticks_late_total"
    SAMPLES = "dcops_samples_total"
    POINTS = "dcops_points"
    READINGS_DROPPED = "dcops_readings_dropped_total"
    JOURNAL_UP = "dcops_journal_up"
    JOURNAL_SIZE = "dcops_journal_size_bytes"
    JOURNAL_WAITING = "dcops_journal_waiting_readings"
    JOURNAL_DROPPED = "dcops_journal_readings_dropped_total"
    STORE_UP = "dcops_store_up"
    STORE_WAITING = "dcops_store_waiting_readings"
    STORE_LAG = "dcops_store_lag_seconds"
    STORE_READINGS = "dcops_store_readings_total"
    STORE_REJECTED = "dcops_store_readings_rejected_total"
    STORE_EXPIRED = "dcops_store_readings_expired_total"
    ENDPOINT_UP = "dcops_endpoint_up"
    ENDPOINT_REQUESTS = "dcops_endpoint_requests_total"
    ENDPOINT_BUSY = "dcops_endpoint_utilisation_ratio"
    ENDPOINT_BUSY_PLANNED = "dcops_endpoint_predicted_utilisation_ratio"
    ENDPOINT_CYCLE = "dcops_endpoint_cycle_seconds"
    ENDPOINT_CYCLE_PLANNED = "dcops_endpoint_predicted_cycle_seconds"
    REFUSED_VALUES = "dcops_refused_values"
    IDENTITY_CHANGES = "dcops_identity_changes_total"
    DEVICE_STATE = "dcops_device_state"
    POLLS = "dcops_polls_total"
    NOTIFICATIONS = "dcops_notifications_total"
    ALARMS_ACTIVE = "dcops_alarms_active"


def quantity(key: str) -> str:
    """Metric of a rolled-up quantity.

    Raises:
        KeyError: there is no such quantity.
    """
    return prometheus_name(key, QUANTITY_OF[key].unit)


def coverage(key: str) -> str:
    """Metric of the share that was measured, of a quantity or a key figure."""
    return prometheus_name(f"{key}_coverage", "%")


def age(key: str) -> str:
    """Metric of the age of the oldest reading in a quantity."""
    return prometheus_name(f"{QUANTITY_OF[key].key}_age", "s")


def energy(key: str) -> str:
    """Metric of a counted quantity.

    Raises:
        KeyError: there is no such energy.
    """
    return prometheus_name(key, ENERGY_OF[key].unit, Behaviour.COUNTER)


def energy_estimated(key: str) -> str:
    """Metric of that part of a counted quantity that no counter showed."""
    return prometheus_name(f"{key}_estimated", ENERGY_OF[key].unit)


def point(type_key: str) -> str:
    """Metric of device points of a type.

    Raises:
        KeyError: there is no such type.
    """
    return point_metric(POINT_TYPES[type_key])


def known_metrics() -> frozenset[str]:
    """Every metric that a dashboard may ask for."""
    names = {NODE_INFO, PUE, ERF, WUE, POWER_RATIO_INSTANT, DEVICE_AGE, DEVICE_QUALITY}
    names |= {each.value for each in Pipeline}
    names |= {coverage(figure) for figure in ("pue", "erf", "wue")}
    for each in QUANTITIES:
        names |= {quantity(each.key), coverage(each.key), age(each.key)}
        names.add(prometheus_name(f"{each.key}_quality", "1"))
    for each_energy in ENERGIES:
        names |= {energy(each_energy.key), energy_estimated(each_energy.key)}
    return frozenset(names | {point(key) for key in POINT_TYPES})
