"""What stands beside values: the share measured, the age of the oldest reading, the time of the scrape."""

from grafana import limits, metrics, units
from grafana.panels import Series


def covered(expr: str, legend: str = "measured share") -> Series:
    """Coverage, 0…1."""
    return Series(expr=expr, legend=legend, unit=units.RATIO, limits=limits.COVERAGE)


def oldest(expr: str, legend: str = "oldest reading") -> Series:
    """Age in seconds; grey once it is too old to be called current."""
    return Series(expr=expr, legend=legend, unit=units.SECONDS, limits=limits.READING_AGE)


def quantity_trust(key: str, selector: str) -> tuple[Series, Series]:
    """Coverage and oldest reading of a rolled-up quantity."""
    return covered(metrics.coverage(key) + selector), oldest(metrics.age(key) + selector)


def scraped(metric: str) -> tuple[Series]:
    """Seconds since Prometheus got a metric of the platform itself."""
    expr = f"time() - min(timestamp({metric}))"
    return (Series(expr=expr, legend="scraped ago", unit=units.SECONDS, limits=limits.SCRAPE_AGE),)
