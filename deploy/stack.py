"""The stack of ``compose.yaml`` without containers, from Debian packages, on free loopback ports.

``python -m deploy.stack`` runs it until Ctrl-C; tests use it as a context manager. VictoriaMetrics stands
in for InfluxDB 2's write side; InfluxDB 1.6, which answers InfluxQL, is optional. Grafana is not in
Debian and is left out.
"""

import argparse
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy import programs
from deploy.servers import Server, ServerError

RULES = Path(__file__).parent / "prometheus" / "rules"
"""Where the rules about the pipeline's own health are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The servers, all of them ready."""

    mosquitto: Server
    alertmanager: Server
    prometheus: Server
    victoria_metrics: Server
    influxd: Server | None

    def servers(self) -> tuple[Server, ...]:
        """All of them, in the order they were started."""
        found = (self.mosquitto, self.alertmanager, self.victoria_metrics, self.influxd, self.prometheus)
        return tuple(server for server in found if server is not None)


@contextmanager
def running_stack(
    folder: Path,
    *,
    targets: Sequence[str] = (),
    rules: Sequence[Path] = (),
    webhook: str | None = None,
    with_influxd: bool = False,
) -> Iterator[Stack]:
    """Start everything in ``folder``, and stop it in reverse order at the end.

    Args:
        folder: holds a folder of each server, with configuration, data and ``log``.
        targets: ``host:port`` of what Prometheus scrapes.
        rules: rule files of Prometheus.
        webhook: where Alertmanager sends to.
        with_influxd: whether to start InfluxDB 1.6 too.

    Raises:
        MissingProgramError: a server is not installed.
        ServerError: a server did not become ready.
    """
    with ExitStack() as started:
        broker = started.enter_context(programs.mosquitto(folder / "mosquitto"))
        alerts = started.enter_context(programs.alertmanager(folder / "alertmanager", webhook=webhook))
        store = started.enter_context(programs.victoria_metrics(folder / "victoria-metrics"))
        influx = started.enter_context(programs.influxd(folder / "influxdb")) if with_influxd else None
        scraper = started.enter_context(
            programs.prometheus(
                folder / "prometheus",
                targets=targets,
                points_of=targets,
                rules=rules,
                alertmanagers=(alerts.address,),
            )
        )
        yield Stack(
            mosquitto=broker,
            alertmanager=alerts,
            prometheus=scraper,
            victoria_metrics=store,
            influxd=influx,
        )


def rule_files() -> tuple[Path, ...]:
    """The shipped rule files of Prometheus."""
    return tuple(sorted(RULES.glob("*.yml")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stack until it is interrupted; 1 if a server is missing or fails."""
    options = _parser().parse_args(arguments)
    try:
        if options.folder is not None:
            return _serve(options.folder, options)
        with tempfile.TemporaryDirectory(prefix="dcops-stack-") as folder:
            return _serve(Path(folder), options)
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _serve(folder: Path, options: argparse.Namespace) -> int:
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with running_stack(
        folder.resolve(),
        targets=options.target,
        rules=rule_files(),
        webhook=options.webhook,
        with_influxd=options.influxd,
    ) as stack:
        lines = [f"{server.program.name:<16} {server.address}" for server in stack.servers()]
        sys.stdout.write("\n".join([*lines, "Ready; Ctrl-C stops."]) + "\n")
        sys.stdout.flush()
        interrupted.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.stack",
        description=__doc__,
        epilog="example: python -m deploy.stack --influxdb --target 127.0.0.1:8080",
    )
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="what Prometheus scrapes; may be given several times",
    )
    parser.add_argument("--webhook", metavar="URL", help="where Alertmanager sends to")
    parser.add_argument(
        "--influxdb", dest="influxd", action="store_true", help="start InfluxDB 1.6 as well, for InfluxQL"
    )
    parser.add_argument(
        "--folder", type=Path, help="keep configuration, data and logs here; a temporary folder otherwise"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
