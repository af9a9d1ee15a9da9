"""Standard output whose reader may have left, as that of ``dcops … | head`` does."""

import io
import os
import select
import sys
from collections.abc import Iterator


def reader_left() -> bool:
    """Whether nobody reads standard output, or standard error, any more."""
    return any(_broken())


def let_go() -> None:
    """Forget what was to be written where nobody reads, so that the end of the process does not complain."""
    for descriptor in list(_broken()):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _broken() -> Iterator[int]:
    for stream in (sys.stdout, sys.stderr):
        try:
            descriptor = stream.fileno()
        except io.UnsupportedOperation:  # it is no file, and has no reader that may leave
            continue
        look = select.poll()
        look.register(descriptor, select.POLLOUT)
        if any(event & select.POLLERR for _, event in look.poll(0)):
            yield descriptor
