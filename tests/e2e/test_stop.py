"""SIGTERM ends the program within five seconds, whoever does not answer, and nothing accepted is lost."""

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.e2e.hall import until, write_small_site
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Takes every connection and never says a word."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for each in kept:
        each.close()


def metrics(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return answer.read().decode()
    except (URLError, OSError):
        return ""


async def test_a_store_that_does_not_answer_does_not_hold_up_the_stop(tmp_path):
    with silent_server() as store_port:
        extra = f"""
stores:
  - {{kind: influxdb, url: "http://127.0.0.1:{store_port}", org: dcops, bucket: dcops, token_env: DCOPS_TOKEN}}
notify:
  - {{kind: alertmanager, url: "http://127.0.0.1:{store_port}"}}
"""
        site = write_small_site(tmp_path / "site", extra=extra)
        port, data = free_port(), tmp_path / "data"
        command = [sys.executable, "-m", "dcops", "run", site, "--data", data, "--port", str(port)]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log, cwd=ROOT) as program:
            try:
                # Derived values are journalled though no device answers, and wait for the store.
                waiting = 'dcops_store_waiting_readings{store="influxdb"}'
                await until(lambda: waiting in metrics(port), "the program", 60)
                await until(lambda: f"{waiting} 0.0" not in metrics(port), "a write under way", 60)
                time.sleep(1.5)  # noqa: ASYNC251 - by then the write waits for its answer
                began = time.monotonic()
                program.send_signal(signal.SIGTERM)
                code = program.wait(30)
                took = time.monotonic() - began
            finally:
                program.kill()
        said = (tmp_path / "log").read_text()
    assert (code, "Traceback" in said) == (0, False), said
    assert took < 5.0
    assert "store influxdb did not end in time" in said
    file = sqlite3.connect(data / "journal.sqlite")
    (kept,) = file.execute("SELECT COUNT(*) FROM batch").fetchone()
    file.close()
    assert kept > 0, "what the store lacks waits in the journal"
