"""Panels of what reading takes of the endpoints' time, and what it shows of the devices."""

from grafana_foundation_sdk.builders import table, timeseries

from grafana import limits, units
from grafana.limits import RATE_WINDOW
from grafana.metrics import Pipeline
from grafana.panels import Series, listing, trend
from grafana.trust import scraped


def busiest() -> table.Panel:
    """The endpoints with the least room."""
    top = f"topk(20, max by (endpoint) ({Pipeline.ENDPOINT_BUSY}))"
    scraped_at = f"max by (endpoint) (timestamp({Pipeline.ENDPOINT_BUSY}))"

    def column(metric: str, legend: str, unit: str, limit: limits.Limits = limits.NONE) -> Series:
        expr = f"max by (endpoint) ({metric}) and on(endpoint) {top}"
        return Series(expr=expr, legend=legend, unit=unit, limits=limit)

    return listing(
        "Busiest endpoints",
        "The twenty endpoints with the least room: share of the time they are busy and time to read each of "
        "their devices once, as measured and as planned.",
        ["endpoint"],
        [
            Series(expr=top, legend="busy", unit=units.RATIO, limits=limits.BUSY),
            column(Pipeline.ENDPOINT_BUSY_PLANNED, "busy as planned", units.RATIO, limits.BUSY),
            column(Pipeline.ENDPOINT_CYCLE, "cycle", units.SECONDS),
            column(Pipeline.ENDPOINT_CYCLE_PLANNED, "cycle as planned", units.SECONDS),
        ],
        [
            Series(
                expr=f"time() - {scraped_at} and on(endpoint) {top}",
                legend="scraped ago",
                unit=units.SECONDS,
                limits=limits.SCRAPE_AGE,
            )
        ],
        sort_by="busy",
        span=12,
    )


def utilisation() -> timeseries.Panel:
    """How busy endpoints are over time."""
    busy = Pipeline.ENDPOINT_BUSY
    shown = {"busiest": f"max({busy})", "95 of 100": f"quantile(0.95, {busy})", "mean": f"avg({busy})"}
    return trend(
        "Utilisation of endpoints",
        "Share of the time an endpoint is busy: the busiest one, what 95 of 100 do not exceed, and the mean.",
        [
            Series(expr=expr, legend=legend, unit=units.RATIO, limits=limits.BUSY)
            for legend, expr in shown.items()
        ],
        scraped(busy),
        span=6,
    )


def learned() -> timeseries.Panel:
    """What reading devices shows of them."""
    replaced = f"sum(increase({Pipeline.IDENTITY_CHANGES}[{RATE_WINDOW}]))"
    return trend(
        "Refused values, replaced devices",
        "Values that devices say they do not have, and times another device was found in the place of one.",
        [
            Series(expr=f"sum({Pipeline.REFUSED_VALUES})", legend="refused values", unit=units.COUNT),
            Series(expr=replaced, legend="replaced devices", unit=units.COUNT),
        ],
        scraped(Pipeline.REFUSED_VALUES),
        span=6,
    )
