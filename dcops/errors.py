"""What can be wrong with the world when a command starts. The message names the mend.

DcopsError      the command ends with exit code 1
└── NoPortsError
"""


class DcopsError(Exception):
    """The command can't do what it is asked for."""


class NoPortsError(DcopsError):
    """Not enough free ports."""
