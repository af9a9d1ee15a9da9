"""``dcops dashboards``: Grafana dashboards as files, or straight into a Grafana."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dcops.errors import in_words, mend_of
from grafana.errors import PublishError

if TYPE_CHECKING:
    from grafana.datasources import Connection
    from grafana.publish import Credential

TOKEN_VARIABLE = "DCOPS_GRAFANA_TOKEN"  # noqa: S105 - the name of a variable
PASSWORD_VARIABLE = "DCOPS_GRAFANA_PASSWORD"  # noqa: S105 - the name of a variable
INFLUXDB_TOKEN_VARIABLE = "DCOPS_INFLUXDB_TOKEN"  # noqa: S105 - the name of a variable
_PROMETHEUS_URL = "http://127.0.0.1:9090"
_INFLUXDB_URL = "http://127.0.0.1:8086"
_EXAMPLE = f"""examples:
  dcops dashboards build --output /etc/grafana/dashboards/dcops
  {TOKEN_VARIABLE}=glsa_... dcops dashboards publish --url http://127.0.0.1:3000
  dcops dashboards publish --url https://grafana.example --token-file /run/secrets/grafana \\
      --prometheus http://prometheus:9090 --influxdb http://influxdb:8086
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "dashboards",
        help="build Grafana dashboards, or publish them",
        description="Grafana dashboards: write them as files for provisioning, or publish them over HTTP.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _register_build(actions)
    _register_publish(actions)


def run(args: argparse.Namespace) -> int:
    """Build or publish, as declared; 1 if it did not succeed."""
    code: int = args.act(args)
    return code


def _register_build(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "build",
        help="write the dashboards as JSON files",
        epilog="example: dcops dashboards build --output dashboards/",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("dashboards"),
        metavar="DIR",
        help="folder to write to, created if missing (default: ./dashboards)",
    )
    parser.set_defaults(run=run, act=_build)


def _register_publish(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "publish",
        help="install folder, data sources and dashboards in a Grafana",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", required=True, metavar="URL", help="address of Grafana")
    parser.add_argument(
        "--folder", default="dcops", metavar="NAME", help="folder in Grafana (default: dcops)"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file with a service account token; otherwise ${TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--user", metavar="NAME", help=f"log in by name, with the password in ${PASSWORD_VARIABLE}"
    )
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        help=f"Prometheus as Grafana reaches it (default for a new data source: {_PROMETHEUS_URL})",
    )
    parser.add_argument(
        "--influxdb",
        metavar="URL",
        help=f"InfluxDB as Grafana reaches it (default for a new data source: {_INFLUXDB_URL}); "
        f"its token is taken from ${INFLUXDB_TOKEN_VARIABLE}",
    )
    parser.add_argument("--bucket", default="dcops", help="bucket or database in InfluxDB (default: dcops)")
    parser.set_defaults(run=run, act=_publish)


def _build(args: argparse.Namespace) -> int:
    from grafana.files import write  # noqa: PLC0415 - the dashboard library takes a second to load

    try:
        written = write(args.output)
    except OSError as error:
        print(
            f"dcops dashboards build: {args.output}: cannot be written ({error.strerror}); {mend_of(error)}",
            file=sys.stderr,
        )
        return 1
    for path in written:
        print(path)
    return 0


def _publish(args: argparse.Namespace) -> int:
    from grafana.dashboards import build_all  # noqa: PLC0415 - the dashboard library takes a second to load
    from grafana.publish import Publisher, publish  # noqa: PLC0415 - the HTTP library likewise

    try:
        publisher = Publisher(args.url, _credential(args))
        given, defaults = _connections(args)
        result = publish(publisher, build_all(), folder=args.folder, connections=given, defaults=defaults)
    except (OSError, PublishError, ValueError) as error:
        print(f"dcops dashboards publish: {in_words(error)}", file=sys.stderr)
        return 1
    for outcome in ("created", "updated", "kept"):
        for name in getattr(result, outcome):
            print(f"data source {name}: {outcome}")
    for path in result.dashboards:
        print(publisher.url + path)
    return 0


def _credential(args: argparse.Namespace) -> "Credential":
    """Token file, user and password, or token from the environment, in this order.

    Raises:
        OSError: the token file cannot be read.
        ValueError: the token file is empty, or the password is missing.
    """
    if args.token_file is not None:
        token: str = args.token_file.read_text(encoding="utf-8").strip()
        if not token:
            raise ValueError(f"token file {args.token_file} is empty; write a service account token into it")
        return token
    if args.user is not None:
        password = os.environ.get(PASSWORD_VARIABLE)
        if not password:
            raise ValueError(f"no password for user {args.user}; set {PASSWORD_VARIABLE}")
        return (args.user, password)
    return os.environ.get(TOKEN_VARIABLE) or None


def _connections(args: argparse.Namespace) -> "tuple[list[Connection], list[Connection]]":
    """(data sources whose address was given, those that are only made if they are missing)."""
    from grafana.datasources import INFLUXDB, PROMETHEUS, Connection  # noqa: PLC0415 - as above

    token = os.environ.get(INFLUXDB_TOKEN_VARIABLE) or None
    prometheus = Connection(source=PROMETHEUS, url=args.prometheus or _PROMETHEUS_URL)
    influxdb = Connection(
        source=INFLUXDB, url=args.influxdb or _INFLUXDB_URL, database=args.bucket, token=token
    )
    both = ((prometheus, args.prometheus), (influxdb, args.influxdb))
    given = [connection for connection, url in both if url is not None]
    return given, [connection for connection, url in both if url is None]
