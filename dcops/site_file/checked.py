"""A site as it was read and found right: what is written as it was then need not be judged again.

Nothing is believed for a time, a size or a name: every file is read, and a part is taken as it was only where
the text it is written in is, letter for letter. Only sites without a mistake are kept, so that mistakes are
always found and told by the checks themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from dcops.site_file.profiles import ProfileLibrary
from dcops.site_file.registry import Registry
from dcops.site_file.tables import Table
from facility.site import Site


@dataclass(frozen=True, kw_only=True)
class Checked:
    """All parts of a site without mistakes, from what is written to what came of it."""

    tables: Mapping[str, Table]
    """Those that were read without a finding, by section."""
    library: ProfileLibrary
    registry: Registry
    site: Site
    plan: CollectionPlan
    period: float
    """Between two readings of devices that say nothing of it, s."""

    @cached_property
    def endpoints(self) -> Mapping[str, ModbusEndpoint]:
        """Where devices are reached over Modbus, by id."""
        return {endpoint.id: endpoint for endpoint in self.plan.endpoints}

    @cached_property
    def modbus(self) -> Mapping[str, ModbusBinding]:
        """How devices are read over Modbus, by device."""
        return {binding.device: binding for binding in self.plan.modbus}
