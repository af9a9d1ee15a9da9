"""Programs that are started: what they and their children take, and how they end."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARENT, _UTIME, _CSTIME, _RSS = 1, 11, 14, 21
"""Places in ``/proc/PID/stat`` behind the name."""
_KIB = 1024
_FORGET_MOST = "5"
"""Written to ``/proc/PID/clear_refs``: the most memory it had begins at what it has now (proc(5))."""
_GRACE = 30.0


class ProcessEndedError(Exception):
    """A program ended that was to go on; the message holds the end of its log."""


class Process:
    """One program and its children."""

    def __init__(
        self, name: str, command: Sequence[object], log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """Start it; what it says goes to ``log``."""
        self.name = name
        self.log = log
        self.began = time.monotonic()
        with log.open("wb") as stream:
            self._popen = subprocess.Popen(
                [str(each) for each in command],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
                start_new_session=True,
            )

    def check(self) -> None:
        """See that it runs.

        Raises:
            ProcessEndedError: it does not.
        """
        code = self._popen.poll()
        if code is not None:
            end = "\n".join(self.said().splitlines()[-15:])
            raise ProcessEndedError(f"{self.name} ended with {code}; its log {self.log} ends with:\n{end}")

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace")

    def cpu(self) -> float:
        """Seconds of CPU it and its children have taken, ended children included."""
        return sum(sum(map(int, each[_UTIME : _CSTIME + 1])) for each in self._stats()) / _TICKS

    def memory(self) -> int:
        """Bytes resident in it and its children; what they share counts for each."""
        return sum(int(each[_RSS]) for each in self._stats()) * _PAGE

    def forget_most_memory(self) -> None:
        """Have ``most_memory`` count from now on."""
        for each in self._numbers():
            with suppress(OSError):  # it ended just now
                Path(f"/proc/{each}/clear_refs").write_text(_FORGET_MOST, "ascii")

    def most_memory(self) -> int:
        """Bytes that were resident at most, by the kernel's own mark: of each child at its time.

        Looking now and then misses what is there for a second: a sort of the history takes 100 MB and more.
        """
        return sum(_most_resident(each) for each in self._numbers())

    def processes(self) -> int:
        """How many they are."""
        return len(self._stats())

    def stop(self) -> float:
        """End it, with force if need be; returns how many seconds it took."""
        began = time.monotonic()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(_GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(self._popen.pid, signal.SIGKILL)
                self._popen.wait()
        return time.monotonic() - began

    def _stats(self) -> list[list[str]]:
        """``stat`` of it and everything below it."""
        found = dict(_all_stats())
        return [found[number] for number in self._among(found)]

    def _numbers(self) -> list[int]:
        """Of it and everything below it."""
        return self._among(dict(_all_stats()))

    def _among(self, found: Mapping[int, Sequence[str]]) -> list[int]:
        wanted = {self._popen.pid}
        while more := {n for n, each in found.items() if int(each[_PARENT]) in wanted} - wanted:
            wanted |= more
        return [number for number in wanted if number in found]


@contextmanager
def running(process: Process) -> Iterator[Process]:
    """End it in any case."""
    try:
        yield process
    finally:
        process.stop()


def free_port() -> int:
    """A TCP port on the loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def busy() -> float:
    """Seconds of CPU that the whole machine has been busy."""
    fields = [int(each) for each in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / _TICKS


def _most_resident(number: int) -> int:
    """Bytes; 0 of a process that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{number}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    return 0


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text("ascii", "replace")
        except OSError:
            continue
        yield int(folder.name), text.rpartition(")")[2].split()
