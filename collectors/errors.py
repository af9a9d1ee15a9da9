"""What can go wrong in collecting.

    CollectorError
    ├── ProfileError      a profile file is wrong: mend the file
    ├── BindingError      a device cannot be bound as told: mend the site
    ├── PayloadError      a message cannot be read: counted, the next one may be better
    ├── PacketError       what a broker sends is no MQTT: the connection ends, the next one may be better
    ├── LessonsError      what was kept of earlier reading cannot be used: begin anew
    └── ShareError        a share of the endpoints is none: mend the command

Other failures on the wire are no exceptions: they become quality codes, health and counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class CollectorError(Exception):
    """Base of all errors of this package."""


@dataclass(frozen=True, slots=True)
class ProfileProblem:
    """One mistake in a profile file; the message says the mend."""

    file: str
    line: int
    """Counted from 1."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ProfileError(CollectorError):
    """A profile has mistakes: all of them, in file order."""

    def __init__(self, problems: Iterable[ProfileProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: (each.file, each.line)))
        super().__init__("\n".join(str(each) for each in self.problems))


class BindingError(CollectorError):
    """A binding contradicts the plan it stands in, for example by an endpoint that is not there."""


class PayloadError(CollectorError):
    """A message that cannot be read at all."""


class PacketError(CollectorError):
    """A packet over which the connection to a broker ends."""


class LessonsError(CollectorError):
    """A document that holds no lessons this version can read."""


class ShareError(CollectorError):
    """A share of a collection that does not exist, such as 3/2."""
