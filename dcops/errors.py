"""What can be wrong with the world when a command starts. The message names the mend.

DcopsError      the command ends with exit code 1
└── NoPortsError
"""


class DcopsError(Exception):
    """The command can't do what it is asked for."""


def in_words(error: Exception) -> str:
    """What went wrong, for the one line a command prints; the operating system's own words get a mend."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}; check the path and its permissions"
    return str(error) or type(error).__name__


class NoPortsError(DcopsError):
    """Not enough free ports."""
