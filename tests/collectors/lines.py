"""Serial lines for tests: two pseudo-terminals, what is written to one can be read at the other."""

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serial_line() -> Iterator[tuple[str, str]]:
    """The paths of both ends of a line. Needs a running loop, which carries the bytes."""
    loop = asyncio.get_running_loop()
    ends = [pty.openpty() for _ in range(2)]
    for master, slave in ends:
        tty.setraw(slave)
        os.set_blocking(master, False)

    def carry(source: int, target: int) -> None:
        try:
            os.write(target, os.read(source, 4096))
        except OSError:
            loop.remove_reader(source)

    (one, _), (other, _) = ends
    loop.add_reader(one, carry, one, other)
    loop.add_reader(other, carry, other, one)
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        for master, slave in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
