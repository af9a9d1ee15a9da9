"""SIGTERM ends the program soon, whoever does not answer, and nothing accepted is lost."""

import contextlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.e2e.hall import write_small_site
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]
STORE_TIMEOUT = 10.0
"""For how long a store is waited for while nothing stops."""


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[int, threading.Event]]:
    """Takes every connection and what comes, and never says a word; gives its port and who was asked."""
    kept: list[socket.socket] = []
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    asked.set()

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)
    for each in kept:
        each.close()


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def metrics(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return answer.read().decode()
    except (URLError, OSError):
        return ""


def test_a_store_that_does_not_answer_does_not_hold_up_the_stop(tmp_path):
    with silent_server() as (store_port, asked):
        extra = f"""
stores:
  - {{kind: influxdb, url: "http://127.0.0.1:{store_port}", org: a, bucket: b, token_env: DCOPS_TOKEN}}
"""
        site = write_small_site(tmp_path / "site", extra=extra)
        port, data = free_port(), tmp_path / "data"
        command = [sys.executable, "-m", "dcops", "run", site, "--data", data, "--port", str(port)]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log, cwd=ROOT) as program:
            try:
                # Derived values are journalled though no device answers, and wait for the store.
                waiting = 'dcops_store_waiting_readings{store="influxdb"}'
                wait_for(lambda: waiting in metrics(port))
                wait_for(lambda: f"{waiting} 0.0" not in metrics(port))
                assert asked.wait(60), "the write waits for its answer"
                began = time.monotonic()
                program.send_signal(signal.SIGTERM)
                code = program.wait(120)
                took = time.monotonic() - began
            finally:
                program.kill()
        said = (tmp_path / "log").read_text()
    assert (code, "Traceback" in said) == (0, False), said
    assert took < STORE_TIMEOUT, "it did not wait for the store to give up by itself"
    assert "store influxdb did not end in time" in said
    file = sqlite3.connect(data / "journal.sqlite")
    (kept,) = file.execute("SELECT COUNT(*) FROM batch").fetchone()
    file.close()
    assert kept > 0, "what the store lacks waits in the journal"


def test_a_plain_stop_says_nothing_but_what_the_log_says(tmp_path):
    site = write_small_site(tmp_path / "site")
    port = free_port()
    command = [sys.executable, "-m", "dcops", "run", site, "--data", tmp_path / "data", "--port", str(port)]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log, cwd=ROOT) as program:
        try:
            wait_for(lambda: "dcops_ticks_total" in metrics(port))
            program.send_signal(signal.SIGTERM)
            code = program.wait(120)
        finally:
            program.kill()
    said = (tmp_path / "log").read_text()
    assert code == 0
    assert [line for line in said.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)] == []
