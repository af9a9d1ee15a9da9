"""Real servers for tests: ``with mosquitto(tmp_path / "mosquitto") as broker: ...``.

Each function returns a Server that starts at ``with`` (or ``async with``) and stops at its end; in between
``stop()``, ``kill()`` and ``start()`` make an outage on the same port with the same data.
"""

from deploy.programs import alertmanager, influxd, mosquitto, prometheus, victoria_metrics
from deploy.servers import MissingProgramError, Server, ServerError, free_port
from deploy.stack import Stack, running_stack

__all__ = [
    "MissingProgramError",
    "Server",
    "ServerError",
    "Stack",
    "alertmanager",
    "free_port",
    "influxd",
    "mosquitto",
    "prometheus",
    "running_stack",
    "victoria_metrics",
]
