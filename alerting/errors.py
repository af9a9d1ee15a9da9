"""What can go wrong in alerting.

AlertingError
├── DeliveryError          a notification did not arrive
│   ├── Unreachable        try again later
│   └── Refused            the receiver will not take it, ever
└── SnapshotError          saved alarm states cannot be read
"""


class AlertingError(Exception):
    """Base of all errors of this package."""


class DeliveryError(AlertingError):
    """A notification did not arrive."""


class Unreachable(DeliveryError):  # noqa: N818 - reads as what happened
    """The receiver is away or busy: the same notification may be tried again."""


class Refused(DeliveryError):  # noqa: N818 - reads as what happened
    """The receiver rejects this notification; trying again is of no use."""


class SnapshotError(AlertingError):
    """Saved alarm states cannot be read."""
