"""Every threshold, colour and time that the dashboards use.

Defaults are those of the alarm rules where there is one (ASHRAE TC 9.9 inlet classes, breaker policy of
80 %); a site that alarms elsewhere changes them here and builds again. Ratios run from 0 to 1.
"""

from dataclasses import dataclass

GREEN = "green"
ORANGE = "orange"
RED = "red"
BLUE = "blue"
GREY = "#8e8e8e"
PLAIN = "text"

REFRESH = "10s"
SINCE = "now-6h"
RATE_WINDOW = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Limits:
    """Colour below the first step, then (from this value on, colour) upwards."""

    base: str
    steps: tuple[tuple[float, str], ...] = ()


NONE = Limits(PLAIN)
"""A value that is neither good nor bad in itself."""
COVERAGE = Limits(RED, ((0.90, ORANGE), (0.98, GREEN)))
"""Share measured; a key figure is complete from 98 %."""
READING_AGE = Limits(GREEN, ((30.0, GREY),))
"""Seconds; grey from three polls of 10 s on: what stands beside it is no longer current."""
SCRAPE_AGE = Limits(GREEN, ((60.0, GREY),))
ESTIMATED = Limits(GREEN, ((0.02, ORANGE), (0.10, RED)))
"""Share of an energy that no counter showed."""

INLET_TEMPERATURE = Limits(BLUE, ((18.0, GREEN), (27.0, ORANGE), (32.0, RED)))
"""°C at the IT inlet: recommended 18-27, allowable to 32 in class A1."""
SUPPLY_TEMPERATURE = Limits(GREEN, ((42.0, ORANGE), (45.0, RED)))
"""°C of the liquid to the racks, for class S40 with 2 K and 5 K on top."""
APPROACH = Limits(GREEN, ((5.0, ORANGE), (8.0, RED)))
"""K between the two supply temperatures of a CDU; 3-5 when clean."""
FEED_UNBALANCE = Limits(GREEN, ((0.10, ORANGE), (0.20, RED)))
PHASE_UNBALANCE = Limits(GREEN, ((0.10, ORANGE), (0.20, RED)))
HEADROOM = Limits(RED, ((0.0, ORANGE), (0.20, GREEN)))
"""Share of a feed's rating left if it carried both feeds; 80 % is the usual policy."""
UPS_LOAD = Limits(GREEN, ((0.40, ORANGE), (0.50, RED)))
"""In a 2N plant one feed must be able to take the load of both."""
UPS_EFFICIENCY = Limits(RED, ((0.90, ORANGE), (0.94, GREEN)))
BATTERY_CHARGE = Limits(RED, ((0.50, ORANGE), (0.90, GREEN)))
COP = Limits(RED, ((2.0, ORANGE), (4.0, GREEN)))
FAULT = Limits(GREEN, ((1.0, RED),))
ON_BATTERY = Limits(GREEN, ((1.0, RED),))
RUNNING = Limits(GREY, ((1.0, GREEN),))
CLOSED = Limits(RED, ((1.0, GREEN),))
PUE = Limits(BLUE, ((1.0, GREEN), (1.4, ORANGE), (1.8, RED)))
"""Below 1 is a mistake of metering."""
ALARMS = Limits(GREEN, ((1.0, RED),))
ENDPOINT_SHARE = Limits(RED, ((0.90, ORANGE), (1.0, GREEN)))
POLL_SHARE = Limits(RED, ((0.95, ORANGE), (0.99, GREEN)))
BUSY = Limits(GREEN, ((0.80, ORANGE), (0.90, RED)))
"""Share of its time an endpoint is busy: the check of a site warns above 0.8, an alert comes above 0.9."""
TICK_SECONDS = Limits(GREEN, ((0.25, ORANGE), (1.0, RED)))
STORE_LAG = Limits(GREEN, ((30.0, ORANGE), (300.0, RED)))
LOSSES = Limits(GREEN, ((1.0, RED),))
"""Anything dropped or rejected."""

BY_QUANTITY = {
    "inlet_temperature": INLET_TEMPERATURE,
    "tcs_supply_temperature": SUPPLY_TEMPERATURE,
}
"""Limits of rolled-up quantities; others have none."""
