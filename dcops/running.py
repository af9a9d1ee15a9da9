"""Running an asynchronous command until it is done or told to stop."""

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from types import FrameType

import uvloop

from dcops.errors import DcopsError, in_words
from dcops.loop_watch import WatchedLoop
from dcops.site_file import LoadedSite, SiteProblems, SiteReader
from dcops.standard_streams import reader_left
from simulators.errors import SimulationError

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_MANY_POLLS = 5_000.0
"""A second."""
SWITCH_SECONDS = 0.00002
"""How long a thread that computes holds up an event loop that wants its turn; usually it is 5 ms."""
_WORLD = (DcopsError, SimulationError, OSError, TimeoutError)


def run_async(command: str, work: Callable[[], Awaitable[int]], loop: LoopFactory = WatchedLoop) -> int:
    """Run ``work`` on a fresh event loop, made by ``loop``, and return its exit code.

    What is wrong with the world is printed, one line each, and is exit code 1; anything else is a fault
    of the program and is raised.
    """

    async def main() -> int:
        return await work()

    errors: list[Exception] = []
    _open_as_many_files_as_allowed()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(main())
    except* _WORLD as group:
        errors.extend(_leaves(group))
    for error in errors:
        if isinstance(error, BrokenPipeError) and reader_left():
            raise error
        print(f"{command}: {in_words(error)}", file=sys.stderr)
    return 1


def loop_for(polls: float) -> LoopFactory:
    """The kind of event loop that suits so many polls a second.

    Python's own is watched without a timer and costs no more as long as there is room. Where the processors
    are full uvloop gets more polls done.
    """
    return WatchedLoop if polls < _MANY_POLLS else uvloop.new_event_loop


def _open_as_many_files_as_allowed() -> None:
    """Lift the limit of open files, of which each connection takes one, as far as a user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


@asynccontextmanager
async def stop_on_signal(
    duration: float | None = None, signals: Collection[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
) -> AsyncIterator[asyncio.Event]:
    """An event that is set by a signal or after ``duration`` seconds of real time."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    timer = loop.call_later(duration, stop.set) if duration is not None else None
    try:
        yield stop
    finally:
        if timer is not None:
            timer.cancel()
        for number in signals:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)


class EarlySignal:
    """Notes a signal that comes before an event loop heeds it, and may otherwise end the process."""

    def __init__(self, number: signal.Signals) -> None:
        self.came = False
        signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.came = True


@asynccontextmanager
async def heed_signal(number: signal.Signals, call: Callable[[], None]) -> AsyncIterator[None]:
    """Have something called whenever a signal comes."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, call)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


def load_site(path: str, reader: SiteReader | None = None) -> LoadedSite | None:
    """The site of a command's argument; None after its mistakes were printed, one a line.

    ``reader`` reads it, if it is to be read again later.
    """
    try:
        return (reader or SiteReader(path)).load()
    except SiteProblems as problems:
        for problem in problems.problems:
            print(problem, file=sys.stderr)
        count = len(problems.problems)
        print(f"{path}: {count} mistake{'s' if count != 1 else ''}; nothing was started", file=sys.stderr)
        return None
