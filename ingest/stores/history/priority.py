"""Work that is not urgent does not take the processor from what is."""

import contextlib
import os
import sys
import threading

NICENESS = 5
"""A third of the share of a thread of usual priority, where both want the same processor."""


def step_back() -> None:
    """Lower the priority of the calling thread for good, where a thread has one of its own (Linux)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
