"""What can go wrong with dashboards.

GrafanaError
├── UnknownVariableError   a query cannot be filled in
└── PublishError           Grafana did not take something
    ├── UnreachableError   nobody answers: try again later
    └── RefusedError       the credential is wrong or may not do this: change it
"""


class GrafanaError(Exception):
    """Any error of this package."""


class UnknownVariableError(GrafanaError):
    """A query needs a variable that has no value."""


class PublishError(GrafanaError):
    """Grafana did not take what was published."""


class UnreachableError(PublishError):
    """Grafana does not answer."""


class RefusedError(PublishError):
    """Grafana does not accept the credential, or does not let it do this."""
