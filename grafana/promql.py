"""Pieces of PromQL that the dashboards share.

Device points carry the id of the space they stand in as ``node``; where that is comes from the one
series a space has for it, joined with ``and on(node)``, so that points keep their own labels.
"""

from grafana import metrics

IN_BUILDING = 'building="$building"'
IN_BUILDING_OR_CAMPUS = 'building=~"$building|"'
"""The building, and what stands on the campus itself, such as utility meters."""
OUTDOORS = f'{IN_BUILDING_OR_CAMPUS}, level=~"building|campus"'
"""The same, without what stands in halls."""


def select(metric: str, **labels: str) -> str:
    """A selector; a value that begins with ``~`` is a regular expression."""
    matches = [
        f'{name}=~"{value[1:]}"' if value[:1] == "~" else f'{name}="{value}"'
        for name, value in labels.items()
    ]
    return f"{metric}{{{', '.join(matches)}}}"


def at(place: str, metric: str, **labels: str) -> str:
    """The series of devices at a place, which is a matcher of ``metrics.NODE_INFO``."""
    return f"({select(metric, **labels)} and on(node) {metrics.NODE_INFO}{{{place}}})"


def point(place: str, kind: str, type_key: str, **labels: str) -> str:
    """Points of a type on devices of a kind at a place."""
    return at(place, metrics.point(type_key), kind=kind, **labels)


def by_device(expr: str) -> str:
    """The expression with no label but ``device``; the worst if a device has several such points."""
    return f"max by (device) ({expr})"


def device_ages(place: str, kind: str) -> str:
    """Seconds since each device of a kind was last read."""
    return at(place, metrics.DEVICE_AGE, kind=kind)


def share(part: str, whole: str, by: str = "") -> str:
    """How many of ``part`` there are to each of ``whole``: 0, and not nothing, where there is no part.

    Both are sets of series; a share for each value of the labels in ``by``, if there are any.
    """
    grouped = f"count by ({by})" if by else "count"
    every = f"{grouped} ({whole})"
    return f"({grouped} ({part}) or 0 * {every}) / {every}"


def read_share(place: str, kind: str, type_key: str, by: str = "") -> str:
    """Share of the devices of a kind whose point has a usable value now, for each value of ``by``."""
    known = at(place, metrics.DEVICE_QUALITY, kind=kind)
    labels = f"{by}, device" if by else "device"
    return share(f"count by ({labels}) ({point(place, kind, type_key)})", known, by)
