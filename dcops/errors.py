"""What can be wrong with the world when a command starts. The message names the mend.

DcopsError      the command ends with exit code 1
└── NoPortsError
"""

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk, or a full share of one, says."""


class DcopsError(Exception):
    """The command can't do what it is asked for."""


def in_words(error: Exception) -> str:
    """What went wrong, for the one line a command prints; the operating system's own words get a mend."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}; {mend_of(error)}"
    if isinstance(error, OSError) and error.errno in FULL and error.strerror:
        return f"{error.strerror.lower()}; {mend_of(error)}"
    return str(error) or type(error).__name__


def mend_of(error: OSError) -> str:
    """What to do about a file that cannot be read or written."""
    if error.errno in FULL:
        return "free some space, or choose another disk"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "check its permissions, and whose it is"
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return "give the path of a folder: a file is in the way"
    if error.errno == errno.EISDIR:
        return "give a file: this is a folder"
    return "check the path and its permissions"


class NoPortsError(DcopsError):
    """Not enough free ports."""
