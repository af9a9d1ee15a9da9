"""Links for commissioning: one at a time, with all the time a slow device takes."""

from collections import Counter

from collectors.config import ModbusEndpoint
from collectors.modbus import Connect
from collectors.modbus.connectors import connector_of
from collectors.modbus.deadlines import SharedTimer
from collectors.modbus.reaching import Network


class Connections:
    """Opens links; all of them share a timer and what makes their sockets. To be closed at the end."""

    def __init__(self) -> None:
        self._deadlines = SharedTimer()
        self._network = Network()

    def to(self, endpoint: ModbusEndpoint) -> Connect:
        """What opens links to an endpoint."""
        return connector_of(endpoint, self._deadlines, Counter(), network=self._network)

    def close(self) -> None:
        """Stop the timer, and look up no more names."""
        self._deadlines.close()
        self._network.close()
