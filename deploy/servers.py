"""Servers from Debian packages, started on loopback in a folder of their own and stopped in order.

A server is ready when it answers its own health check, never after a pause. Its port and its data
outlive a stop, so that ``stop()`` and ``start()`` are an outage as its clients see one.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
_POLL = 0.02
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOG_TAIL = 2000
_STRIDE = 1009
"""How far apart in the range of ports two processes begin that were started one after the other."""


class ServerError(RuntimeError):
    """A server did not start, did not become ready, or is not installed."""


class MissingProgramError(ServerError):
    """The program of a server is not installed; the message names the Debian package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is started, and how one sees that it answers."""

    name: str
    executable: str
    package: str
    """The Debian package that brings the executable."""
    arguments: tuple[str, ...]
    ready: Callable[[], bool]


class Ports:
    """TCP ports of the loopback interface, no port twice before all the others.

    They lie below those the kernel gives to connections by itself, so that none of these takes a port between
    the time it is told here and the time a server listens on it. Every process begins elsewhere.
    """

    def __init__(self, first: int, stop: int, process: int) -> None:
        self._ports = range(first, stop)
        self._next = process * _STRIDE % len(self._ports)

    def take(self, count: int = 1) -> int:
        """The first of ``count`` ports in a row that nothing listens on now.

        Raises:
            ServerError: there is no such row of ports.
        """
        for _ in self._ports:
            row = self._ports[self._next : self._next + count]
            if len(row) == count and all(map(_is_free, row)):
                self._next = (self._next + count) % len(self._ports)
                return row[0]
            self._next = (self._next + 1) % len(self._ports)
        raise ServerError(f"no {count} ports in a row are free on {LOOPBACK} in {self._ports}; free some")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


_PORTS = Ports(10_000, 20_000, os.getpid())


def free_port(count: int = 1) -> int:
    """The first of ``count`` TCP ports in a row of the loopback interface that nothing listens on now.

    Raises:
        ServerError: there is no such row of ports.
    """
    return _PORTS.take(count)


def find_executable(executable: str, package: str) -> str:
    """Path of an executable.

    Raises:
        MissingProgramError: it is not installed.
    """
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which(executable, path=places)
    if found is None:
        raise MissingProgramError(
            f"{executable} is not installed; mend: apt-get install {package}, or run tests/servers/install"
        )
    return found


def answers(url: str) -> Callable[[], bool]:
    """A readiness check: whether a GET of ``url`` ends in a 2xx."""

    def check() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=1.0) as reply:  # noqa: S310 - http:// URLs made here
                return 200 <= int(reply.status) < 300  # noqa: PLR2004 - the 2xx class of HTTP
        except (OSError, urllib.error.HTTPError):
            return False

    return check


def listens(port: int) -> Callable[[], bool]:
    """A readiness check: whether a loopback port accepts connections."""

    def check() -> bool:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1.0).close()
        except OSError:
            return False
        return True

    return check


class Server:
    """One server process: a context manager, in ``with`` and in ``async with``."""

    def __init__(self, program: Program, *, folder: Path, port: int) -> None:
        self.program = program
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The address as an HTTP URL."""
        return f"http://{self.address}"

    @property
    def log(self) -> str:
        """All that the server has printed."""
        path = self._log_path
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = _START_SECONDS) -> None:
        """Start it and return once it is ready.

        Raises:
            MissingProgramError: it is not installed.
            ServerError: it ended, or was not ready within ``timeout`` seconds.
        """
        if self.running:
            return
        executable = find_executable(self.program.executable, self.program.package)
        if self.program.ready():  # it would be taken for the one that is started
            raise ServerError(f"something else than {self.program.name} answers on {self.address} already")
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed program with arguments made here
                [executable, *self.program.arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_until_ready(timeout)
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self, timeout: float = _START_SECONDS) -> None:
        """Return once the server answers its health check.

        Raises:
            ServerError: it ended, or was not ready within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.program.ready():
            if not self.running:
                raise ServerError(f"{self.program.name} ended at its start: {self.log[-_LOG_TAIL:]}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.program.name} on {self.address} was not ready within {timeout:g} s: "
                    f"{self.log[-_LOG_TAIL:]}"
                )
            time.sleep(_POLL)
        if not self.running:
            raise ServerError(f"{self.program.name} ended, and something else listens on {self.address}")

    def stop(self) -> None:
        """Ask it to end, and kill it if it does not. Does nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @property
    def _log_path(self) -> Path:
        return self.folder / "log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)
