"""What the kernel tells of the clock: whether it follows a time server, and which boot this is."""

import ctypes
import sys
import time
from pathlib import Path

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of ``adjtimex``: set at boot, whenever the clock is set by hand, and some hours after the last
word of a time server; cleared by ntpd, chrony and systemd-timesyncd alike.
"""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux. Only ``modes`` is written, and is 0: nothing is set."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),  # not of interest; more than there is
    )


def synchronised() -> bool | None:
    """Whether the kernel's clock follows a time server; None if it does not tell: no Linux, or a sandbox."""
    if not sys.platform.startswith("linux"):
        return None
    found = _Timex()
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else not found.status & _UNSYNCHRONISED


def uptime() -> int:
    """How long ago the machine was started, ns. The time that it slept has gone by, too."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def boot() -> str:
    """Tells this start of the machine from all others; empty if the kernel does not."""
    try:
        return _BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
