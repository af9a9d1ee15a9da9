"""Panels about the rolled-up quantities of spaces, shared by the dashboards of all levels."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat, table, timeseries

from facility.quantities import Aggregate
from facility.spaces import Level
from grafana import limits, metrics, units
from grafana.dashboards import uids
from grafana.panels import Link, Series, listing, tile, trend
from grafana.promql import select
from grafana.trust import covered, oldest, quantity_trust, scraped

OF_CAMPUS = '{level="campus"}'
"""The one series of the whole campus."""


def of_node(node: str) -> str:
    """Selector of the series of one space."""
    return f'{{node="{node}"}}'


def quantity_tile(key: str, selector: str, *, span: int = 6) -> stat.Panel:
    """One quantity of one space now, with its coverage and its oldest reading."""
    quantity = metrics.QUANTITY_OF[key]
    value = Series(
        expr=metrics.quantity(key) + selector,
        legend="now",
        unit=units.exposed(quantity.unit),
        limits=limits.BY_QUANTITY.get(key, limits.NONE),
    )
    how = "Highest" if quantity.aggregate is Aggregate.MAX else "Sum"
    description = (
        f"{how} of the {quantity.type_key.replace('_', ' ')} of the meters below this space that count for "
        "it. "
        "A silent meter is held or estimated, and then missing from the measured share."
    )
    return tile(quantity.label, description, [value], quantity_trust(key, selector), span=span)


def power_and_inlet(selector: str) -> tuple[stat.Panel, ...]:
    """What is asked first of a space with racks: its power, that of each feed, and its worst inlet."""
    keys = ("power", metrics.POWER_A, metrics.POWER_B, "inlet_temperature")
    return tuple(quantity_tile(key, selector) for key in keys)


def quantities_trend(title: str, keys: Sequence[str], selector: str, *, span: int = 12) -> timeseries.Panel:
    """Several quantities of one space over time, with the coverage of each."""
    values = [
        Series(
            expr=metrics.quantity(key) + selector,
            legend=metrics.QUANTITY_OF[key].label,
            unit=units.exposed(metrics.QUANTITY_OF[key].unit),
        )
        for key in keys
    ]
    trust = [
        covered(metrics.coverage(key) + selector, f"measured share: {metrics.QUANTITY_OF[key].label}")
        for key in keys
    ]
    description = (
        "Rolled up each second from the meters of one boundary each; dashed: the share really measured."
    )
    return trend(title, description, values, trust, span=span)


def children_trend(title: str, key: str, level: Level, parent: str, *, span: int = 12) -> timeseries.Panel:
    """One quantity of every space directly below another one, with the lowest coverage among them."""
    below = f'{{level="{level}", parent="{parent}"}}'
    quantity = metrics.QUANTITY_OF[key]
    value = Series(expr=metrics.quantity(key) + below, legend="{{node}}", unit=units.exposed(quantity.unit))
    trust = [
        covered(f"min({metrics.coverage(key)}{below})", "lowest measured share"),
        oldest(f"max({metrics.age(key)}{below})"),
    ]
    description = f"{quantity.label} of each {level}. Dashed: the worst of their coverages and ages."
    return trend(title, description, [value], trust, span=span)


def children_table(
    title: str, level: Level, parent: str, keys: Sequence[str], *, sort_by: str | None = None
) -> table.Panel:
    """Spaces directly below another one: a row each, linked to its dashboard."""
    below = f'{{level="{level}", parent="{parent}"}}'
    values = [
        Series(
            expr=f"max by (node) ({metrics.quantity(key)}{below})",
            legend=metrics.QUANTITY_OF[key].label,
            unit=units.exposed(metrics.QUANTITY_OF[key].unit),
            limits=limits.BY_QUANTITY.get(key, limits.NONE),
        )
        for key in keys
    ]
    trust = [
        covered(f"min by (node) ({metrics.coverage(keys[0])}{below})"),
        oldest(f"max by (node) ({metrics.age(keys[0])}{below})"),
    ]
    description = (
        f"Every {level} with its live rollups; measured share and oldest reading are those of "
        f"{metrics.QUANTITY_OF[keys[0]].label}. Click a name to open it."
    )
    links = {"node": Link(dashboard=uids.BY_LEVEL[level], variable=level)}
    return listing(title, description, ["node"], values, trust, links=links, sort_by=sort_by)


def place_table(level: Level, node: str) -> table.Panel:
    """Where a space is, with links upwards."""
    above = [each for each in (Level.CAMPUS, Level.BUILDING, Level.HALL, Level.ROW) if each != level]
    above = above[: list(Level).index(level)]
    info = metrics.NODE_INFO + of_node(node)
    labels = ["node", "name", *above]
    joined = ", ".join(labels)
    here = of_node(node)
    return listing(
        "Place",
        "Where this is; click to go there. The age is that of the oldest power reading below it.",
        labels,
        [],
        [
            covered(f"max by ({joined}) ({info} * on(node) {metrics.coverage('power')}{here})"),
            oldest(f"max by ({joined}) ({info} * on(node) {metrics.age('power')}{here})"),
        ],
        links={each: Link(dashboard=uids.BY_LEVEL[each], variable=each) for each in above},
    )


def pue_tile(node: str, window: str, *, span: int = 6) -> stat.Panel:
    """PUE of a space over a window, of the chosen category."""
    labels = {"node": node, "category": "$category", "window": window}
    return tile(
        f"PUE, last {window}",
        "Energy at the facility's inputs over energy at the IT boundary of the chosen category, both over "
        "the "
        "same period (ISO/IEC 30134-2). The measured share is that of the whole period.",
        [
            Series(
                expr=select(metrics.PUE, **labels),
                legend="category {{category}}",
                unit=units.PLAIN,
                limits=limits.PUE,
            )
        ],
        [
            covered(select(metrics.coverage("pue"), **labels)),
            oldest(select(metrics.age("facility_power"), node=node)),
        ],
        span=span,
    )


def alarms_tile(*, span: int = 6) -> stat.Panel:
    """How many alarms are active, by priority."""
    values = [
        Series(
            expr=f"sum({select(metrics.Pipeline.ALARMS_ACTIVE, priority=priority)})",
            legend=priority,
            unit=units.COUNT,
            limits=limits.ALARMS,
        )
        for priority in ("high", "medium", "low")
    ]
    return tile(
        "Active alarms",
        "Conditions that ask for a person's action now, on the whole site, process and communication alike.",
        values,
        scraped(metrics.Pipeline.ALARMS_ACTIVE),
        span=span,
    )
