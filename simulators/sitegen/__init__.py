"""Makes up sites of any size with a plausible topology, for demos, tests and measurements."""

from simulators.sitegen.generate import generate
from simulators.sitegen.rows import DeviceRow, EndpointRow, GeneratedSite, SpaceRow
from simulators.sitegen.shape import PRESETS, ShapeError, SiteShape
from simulators.sitegen.writer import write_site

__all__ = [
    "PRESETS",
    "DeviceRow",
    "EndpointRow",
    "GeneratedSite",
    "ShapeError",
    "SiteShape",
    "SpaceRow",
    "generate",
    "write_site",
]
