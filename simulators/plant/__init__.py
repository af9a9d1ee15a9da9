"""Plant physics: what every meter and machine of a site would show, from a seed and a clock."""

from simulators.plant.ledger import Ledger
from simulators.plant.load import LoadKind
from simulators.plant.plant import Plant

__all__ = ["Ledger", "LoadKind", "Plant"]
