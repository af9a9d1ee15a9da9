"""Collection health: whether what all other dashboards show has been read, kept and delivered."""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from facility.quality import FIRST_UNCERTAIN
from grafana import limits, metrics, units
from grafana.assembly import Section, assemble
from grafana.dashboards import uids
from grafana.dashboards.bus_time_panels import busiest, learned, utilisation
from grafana.dashboards.device_panels import NO_YES
from grafana.limits import RATE_WINDOW
from grafana.metrics import Pipeline
from grafana.panels import Series, listing, tile, trend
from grafana.promql import share
from grafana.trust import covered, oldest, scraped


def build() -> Dashboard:
    """The dashboard of collection and of the pipeline behind it."""
    return assemble(
        uids.COLLECTION,
        "dcops · Collection health",
        "Endpoints, polls, device states, bus time, tick, journal, stores and notifications.",
        [],
        [
            Section(title="Now", panels=(endpoints(), polls(), devices(), tick())),
            Section(title="Field", panels=(endpoint_table(), device_states(), poll_rates())),
            Section(title="Bus time", panels=(busiest(), utilisation(), learned())),
            Section(title="Readings", panels=(silent_devices(), points(), samples())),
            Section(title="Journal and stores", panels=(journal(), losses(), store_state(), store_rates())),
            Section(title="Tick and notifications", panels=(tick_trend(), notifications())),
        ],
    )


def endpoints() -> stat.Panel:
    """How many endpoints are connected."""
    up = Pipeline.ENDPOINT_UP
    return tile(
        "Endpoints connected",
        "Share of the gateways and brokers that are connected now.",
        [
            Series(
                expr=f"sum({up}) / count({up})",
                legend="connected",
                unit=units.RATIO,
                limits=limits.ENDPOINT_SHARE,
            ),
            Series(expr=f"count({up})", legend="of", unit=units.COUNT),
        ],
        scraped(up),
    )


def polls() -> stat.Panel:
    """How many polls succeed."""
    done = f'sum(rate({Pipeline.POLLS}{{outcome="done"}}[{RATE_WINDOW}]))'
    due = f"sum(rate({Pipeline.POLLS}[{RATE_WINDOW}]))"
    return tile(
        "Polls done",
        "Share of the polls that were due and succeeded; the rest was missed (skipped) or failed.",
        [Series(expr=f"{done} / {due}", legend="done", unit=units.RATIO, limits=limits.POLL_SHARE)],
        scraped(Pipeline.POLLS),
    )


def devices() -> stat.Panel:
    """How many devices are read."""
    return tile(
        "Devices",
        "How many devices are in each state. Suspect: polls fail now; dormant: only probed; waiting: never "
        "read yet.",
        [Series(expr=f"sum by (state) ({Pipeline.DEVICE_STATE})", legend="{{state}}", unit=units.COUNT)],
        scraped(Pipeline.DEVICE_STATE),
    )


def tick() -> stat.Panel:
    """How long the tick takes."""
    return tile(
        "Tick",
        "Time that closing a second takes: stale marking, rollups, key figures, alarms, journal. Beyond one "
        "second "
        "the platform falls behind.",
        [
            Series(
                expr=f"max({Pipeline.TICK_LAST})",
                legend="duration",
                unit=units.SECONDS,
                limits=limits.TICK_SECONDS,
            ),
            Series(
                expr=f"sum(increase({Pipeline.TICKS_LATE}[1h]))",
                legend="late in the last hour",
                unit=units.COUNT,
                limits=limits.LOSSES,
            ),
        ],
        scraped(Pipeline.TICK_LAST),
    )


def endpoint_table() -> table.Panel:
    """Each endpoint."""
    return listing(
        "Endpoints",
        "Every gateway and broker.",
        ["endpoint"],
        [
            Series(
                expr=f"max by (endpoint) ({Pipeline.ENDPOINT_UP})",
                legend="connected",
                unit=units.COUNT,
                limits=limits.CLOSED,
                texts=NO_YES,
            ),
            Series(
                expr=f"sum by (endpoint) (rate({Pipeline.ENDPOINT_REQUESTS}[{RATE_WINDOW}]))",
                legend="requests",
                unit=units.PER_SECOND,
            ),
        ],
        [
            Series(
                expr=f"time() - max by (endpoint) (timestamp({Pipeline.ENDPOINT_UP}))",
                legend="scraped ago",
                unit=units.SECONDS,
                limits=limits.SCRAPE_AGE,
            )
        ],
        span=8,
    )


def device_states() -> timeseries.Panel:
    """Device states over time."""
    return trend(
        "Device states",
        "How many devices are in each state.",
        [Series(expr=f"sum by (state) ({Pipeline.DEVICE_STATE})", legend="{{state}}", unit=units.COUNT)],
        scraped(Pipeline.DEVICE_STATE),
        span=8,
    )


def poll_rates() -> timeseries.Panel:
    """Polls by outcome."""
    return trend(
        "Polls by outcome",
        "Polls a second. Missed ones were skipped, because the one before was still running or the bus was "
        "busy.",
        [
            Series(
                expr=f"sum by (outcome) (rate({Pipeline.POLLS}[{RATE_WINDOW}]))",
                legend="{{outcome}}",
                unit=units.PER_SECOND,
            )
        ],
        scraped(Pipeline.POLLS),
        span=8,
    )


def silent_devices() -> table.Panel:
    """The devices that were read longest ago, and those that never were."""
    top = f"topk(20, max by (device, kind, node) ({metrics.DEVICE_AGE}))"
    usable = f"max by (device, kind, node) ({metrics.DEVICE_QUALITY} >= bool {FIRST_UNCERTAIN})"
    longest_ago = f"{usable} and on(device) {top}"
    unread = f"{metrics.DEVICE_QUALITY} unless on(device) {metrics.DEVICE_AGE}"
    never_read = f"topk(20, max by (device, kind, node) ({unread}) >= bool 0)"
    return listing(
        "Devices read longest ago",
        "The twenty devices with the oldest reading, whether their worst point is usable, and twenty of "
        "those that have never been read since the start.",
        ["device", "kind", "node"],
        [
            Series(
                expr=longest_ago,
                legend="usable",
                unit=units.COUNT,
                limits=limits.CLOSED,
                texts=NO_YES,
            ),
            Series(
                expr=f"{never_read} or 0 * count by (device, kind, node) ({longest_ago})",
                legend="never read",
                unit=units.COUNT,
                limits=limits.FAULT,
                texts=NO_YES,
            ),
        ],
        [oldest(top, "last read")],
        sort_by="last read",
        span=12,
    )


def points() -> timeseries.Panel:
    """Points by quality."""
    usable = f'sum({Pipeline.POINTS}{{quality=~"good|uncertain"}}) / sum({Pipeline.POINTS})'
    return trend(
        "Points by quality",
        "How many points of devices and how many derived ones are in each state; dashed: the usable share.",
        [Series(expr=f"sum by (quality) ({Pipeline.POINTS})", legend="{{quality}}", unit=units.COUNT)],
        [covered(usable, "usable share")],
        span=6,
    )


def samples() -> timeseries.Panel:
    """Samples by outcome."""
    usable = share(f"{metrics.DEVICE_QUALITY} >= {FIRST_UNCERTAIN}", metrics.DEVICE_QUALITY)
    return trend(
        "Samples",
        "Scans of devices a second that reached the live image, by what became of them; dashed: the share "
        "of devices "
        "whose points are all usable.",
        [
            Series(
                expr=f"sum by (outcome) (rate({Pipeline.SAMPLES}[{RATE_WINDOW}]))",
                legend="{{outcome}}",
                unit=units.PER_SECOND,
            )
        ],
        [covered(usable, "usable devices")],
        span=6,
    )


def journal() -> stat.Panel:
    """What is kept and not yet delivered."""
    return tile(
        "Journal",
        "Whether the journal takes readings, how large it is, and what still waits in memory before it.",
        [
            Series(
                expr=f"min({Pipeline.JOURNAL_UP})",
                legend="journal",
                unit=units.COUNT,
                limits=limits.CLOSED,
                texts=("down", "up"),
            ),
            Series(expr=f"max({Pipeline.JOURNAL_SIZE})", legend="size", unit=units.BYTES),
            Series(expr=f"max({Pipeline.JOURNAL_WAITING})", legend="readings before it", unit=units.COUNT),
        ],
        scraped(Pipeline.JOURNAL_UP),
        span=8,
    )


def losses() -> stat.Panel:
    """What was lost."""
    dropped = " + ".join(
        f"sum(increase({metric}[24h]))" for metric in (Pipeline.READINGS_DROPPED, Pipeline.JOURNAL_DROPPED)
    )
    lost = {
        "never journalled": dropped,
        "expired before delivery": f"sum(increase({Pipeline.STORE_EXPIRED}[24h]))",
        "refused by a store": f"sum(increase({Pipeline.STORE_REJECTED}[24h]))",
    }
    return tile(
        "Readings lost, last 24h",
        "Readings that no journal took, that left the journal undelivered because it was full or they were "
        "too "
        "old, and that a store refused for what they are.",
        [
            Series(expr=expr, legend=legend, unit=units.COUNT, limits=limits.LOSSES)
            for legend, expr in lost.items()
        ],
        scraped(Pipeline.READINGS_DROPPED),
        span=8,
    )


def store_state() -> table.Panel:
    """Each store."""

    def column(metric: str, legend: str, unit: str, limit: limits.Limits = limits.NONE) -> Series:
        return Series(expr=f"max by (store) ({metric})", legend=legend, unit=unit, limits=limit)

    return listing(
        "Stores",
        "Whether each store takes data, how far behind it is and how many readings wait for it in the "
        "journal.",
        ["store"],
        [
            Series(
                expr=f"min by (store) ({Pipeline.STORE_UP})",
                legend="takes data",
                unit=units.COUNT,
                limits=limits.CLOSED,
                texts=NO_YES,
            ),
            column(Pipeline.STORE_WAITING, "readings waiting", units.COUNT),
        ],
        [column(Pipeline.STORE_LAG, "behind by", units.SECONDS, limits.STORE_LAG)],
        span=8,
    )


def store_rates() -> timeseries.Panel:
    """Readings written."""
    return trend(
        "Readings written",
        "Readings that each store took, a second; dashed: how far it is behind.",
        [
            Series(
                expr=f"sum by (store) (rate({Pipeline.STORE_READINGS}[{RATE_WINDOW}]))",
                legend="{{store}}",
                unit=units.PER_SECOND,
            )
        ],
        [Series(expr=f"max by (store) ({Pipeline.STORE_LAG})", legend="{{store}}: lag", unit=units.SECONDS)],
        span=24,
    )


def tick_trend() -> timeseries.Panel:
    """The tick over time."""
    return trend(
        "Tick duration",
        "How long the last 600 ticks took: half of them, 99 of 100, and all of them took no longer than "
        "this.",
        [
            Series(
                expr=f"max by (share) ({Pipeline.TICK_DURATION})",
                legend="share {{share}}",
                unit=units.SECONDS,
                limits=limits.TICK_SECONDS,
            )
        ],
        scraped(Pipeline.TICK_LAST),
    )


def notifications() -> timeseries.Panel:
    """Notifications by notifier and outcome."""
    sent = f"sum by (notifier, outcome) (increase({Pipeline.NOTIFICATIONS}[{RATE_WINDOW}]))"
    return trend(
        "Notifications",
        "Alarms and their ends that were handed to each notifier, by outcome; one line at 0 where there is "
        "no "
        "notifier, because then none was sent.",
        [
            Series(
                expr=f"{sent} or on() 0 * max({Pipeline.TICK_LAST})",
                legend="{{notifier}} {{outcome}}",
                unit=units.COUNT,
            )
        ],
        scraped(Pipeline.TICK_LAST),
    )
