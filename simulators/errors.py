"""What can go wrong in a simulation.

::

SimulationError
├── ListenError       an address cannot be served: free it or change it
├── ScenarioError     a scenario file is wrong: all its mistakes
└── RecordingError    a file is no recording, or one of another version
"""

from collections.abc import Iterable


class SimulationError(Exception):
    """Anything wrong in a simulation."""


class ListenError(SimulationError):
    """An endpoint's address cannot be listened on."""


class ScenarioError(SimulationError):
    """A scenario is wrong; ``problems`` holds one line a mistake, each with file and line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class RecordingError(SimulationError):
    """A file is not a recording that can be read."""
