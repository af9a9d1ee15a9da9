"""Where the CPU time of this process goes: by thread, and on the event loop's thread by what it does there.

What runs on the event loop and is not timed by itself is collecting: waking for polls, sending, taking and
decoding replies, and what little the console asks for. Reading the time of a thread costs about half a
microsecond, so only what works on many readings at once is timed.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from time import process_time, thread_time
from typing import ParamSpec, TypeVar

COLLECT = "collect"
"""What the event loop does beside all that is timed."""
OTHER = "other"
"""Threads that serve whoever asks, and those of libraries."""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")
_TASKS = Path("/proc/self/task")
_UTIME, _STIME = 11, 12
"""Places in ``stat`` behind the name of the thread."""
_SHARED_POOL = "asyncio"


class CpuStages:
    """CPU time by stage, since the start of the process."""

    def __init__(self, tasks: Path = _TASKS) -> None:
        """``tasks`` is where Linux tells of each thread; elsewhere what is not timed counts as other."""
        self._tasks = tasks
        self._timed: dict[str, float] = {}
        self._read: dict[str, tuple[Callable[[], float], Collection[str]]] = {}
        self._shown: dict[str, float] = {}

    def timed(self, stage: str, work: Callable[_P, _R]) -> Callable[_P, _R]:
        """The same work, done on the event loop, its time counted as a stage of its own. It must not wait."""
        spent = self._timed
        spent.setdefault(stage, 0.0)

        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            began = thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent[stage] += thread_time() - began

        return call

    def steps(self, stage: str, pieces: Iterable[_T]) -> Iterator[_T]:
        """The same pieces, made on the event loop, the time that making each takes counted as a stage."""
        following = self.timed(stage, partial(next, iter(pieces), None))
        while (piece := following()) is not None:
            yield piece

    def also(self, stage: str, read: Callable[[], float], holding: Collection[str] = ()) -> None:
        """A stage on the event loop that counts its seconds itself; ``holding`` are timed ones within it."""
        self._read[stage] = (read, holding)

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, which add up to those of the process; none ever becomes less."""
        loop = dict(self._timed)
        for stage, (read, holding) in self._read.items():
            loop[stage] = read() - sum(self._timed[each] for each in holding)
        found = self._of_threads()
        found[COLLECT] = found.get(COLLECT, 0.0) - sum(loop.values())
        found |= loop
        found[OTHER] = found.get(OTHER, 0.0) + process_time() - sum(found.values())
        for stage, seconds in found.items():
            self._shown[stage] = max(seconds, self._shown.get(stage, 0.0))
        return dict(self._shown)

    def _of_threads(self) -> dict[str, float]:
        """By threads that have a name; the event loop's is the main one."""
        found: dict[str, float] = {}
        main = threading.main_thread()
        for thread in threading.enumerate():
            stage = COLLECT if thread is main else _stage(thread.name)
            found[stage] = found.get(stage, 0.0) + self._of_thread(thread.native_id)
        return found

    def _of_thread(self, number: int | None) -> float:
        try:
            text = (self._tasks / str(number) / "stat").read_text("ascii", "replace")
        except OSError:
            return 0.0
        fields = text.rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK")


def _stage(name: str) -> str:
    """``journal_0`` is the first thread of the journal."""
    stage = name.rpartition("_")[0] or name
    return OTHER if stage == _SHARED_POOL else stage
