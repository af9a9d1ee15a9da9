"""The dashboards of the platform, a module each."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards import (
    building,
    campus,
    collection,
    cooling,
    device_detail,
    hall,
    power_path,
    pue,
    rack,
    row,
)


def build_all() -> tuple[Dashboard, ...]:
    """Every dashboard, from the campus down, then the themes."""
    pages = (campus, building, hall, row, rack, power_path, cooling, pue, collection, device_detail)
    return tuple(page.build() for page in pages)
