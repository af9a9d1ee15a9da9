"""What a soak starts: dcops, which is killed, and the field, which is not."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from bench.soak.load import Load

_ROOT = Path(__file__).parents[2]
_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LOOK = 0.1
"""Seconds between two looks whether something has come about."""


class SoakError(Exception):
    """The soak cannot go on; what it says is no verdict on what was promised."""


@dataclass(frozen=True, slots=True)
class Life:
    """A process from its start to its end, in ns UTC."""

    start: int
    end: int
    """When it was told to."""
    killed: bool = True
    """False if it was to end in order."""


class Program:
    """``dcops run`` in a process of its own, killed and started again on the same data."""

    def __init__(self, site: Path, folder: Path, port: int) -> None:
        self.lives: list[Life] = []
        """Those that have ended."""
        self.started = 0
        """Ns UTC, when the present one was."""
        self.data = folder / "data"
        self.log = folder / "dcops.log"
        self._url = f"http://127.0.0.1:{port}/metrics"
        run = ["run", str(site), "--data", str(self.data), "--port", str(port)]
        self._command = [sys.executable, "-m", "dcops", *run]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        self.started = time.time_ns()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=_ROOT, stderr=log, stdout=log)

    def kill(self) -> None:
        """End it with -9.

        Raises:
            SoakError: it had ended by itself.
        """
        process = self._running()
        if process.poll() is not None:
            raise SoakError(f"dcops ended by itself with {process.returncode}; see {self.log}")
        self.lives.append(Life(self.started, time.time_ns()))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> int:
        """End it in order; its exit code."""
        process = self._running()
        self.lives.append(Life(self.started, time.time_ns(), killed=False))
        process.terminate()
        return process.wait(60)

    def metrics(self) -> dict[tuple[str, str], float]:
        """What it says of itself now by (name, labels); nothing while it does not answer."""
        try:
            with urlopen(self._url, timeout=5) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return {}
        return {(name, labels): float(value) for name, labels, value in _SAMPLE.findall(text)}

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SoakError("dcops was never started")
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Field:
    """The simulated devices in their process."""

    def __init__(self, load: Load, folder: Path) -> None:
        self.ledger = folder / "ledger.npz"
        config = folder / "load.json"
        config.write_text(json.dumps(asdict(load)), encoding="utf-8")
        command = [sys.executable, "-m", "bench.soak.field", str(config), str(self.ledger)]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._hear("ready")

    def tell(self, word: str) -> None:
        """``publish``, or ``quiet``: returns when all messages are acknowledged then."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        if word == "quiet":
            self._hear(word)

    def end(self) -> None:
        """Stop the devices and save the ledger.

        Raises:
            SoakError: it failed.
        """
        self.tell("end")
        if self._process.wait(60):
            raise SoakError(f"the simulated devices failed with {self._process.returncode}")

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        heard = self._process.stdout.readline().strip()
        if heard != word:
            raise SoakError(f"the simulated devices said {heard!r} in place of {word!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Return once it is true.

    Raises:
        SoakError: it is not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SoakError(f"{what}: not within {seconds:.0f} s")
        time.sleep(_LOOK)
