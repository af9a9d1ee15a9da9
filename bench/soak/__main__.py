"""Killed with -9 again and again, does dcops keep what it promises? ``make soak``, ``python -m bench.soak``.

Simulated Modbus devices and MQTT publishers (QoS 1) give 10,000 points a second and keep a ledger of it;
dcops collects them into its journal, its history, VictoriaMetrics and InfluxDB 1.x and is killed at random
moments, while broker and stores are restarted. In the end the stores are held against the ledger.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.report import machine
from bench.soak.program import SoakError
from bench.soak.run import Options, soak
from bench.soak.table import table
from deploy.servers import ServerError


def main() -> int:
    """Soak, print the table; 0 if all is kept, 1 if not."""
    options = _parser().parse_args()
    wanted = Options(
        seconds=60.0 * options.minutes,
        kills=options.kills,
        rate=options.rate,
        seed=options.seed,
    )
    folder = Path(options.folder or tempfile.mkdtemp(prefix="dcops-soak-"))
    try:
        outcome = soak(wanted, folder, _tell)
    except (SoakError, ServerError) as error:
        print(f"soak: {error}; what there is lies in {folder}", file=sys.stderr)
        return 1
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{machine()}\nload of the machine in the last 1, 5, 15 min: {load}\n\n{table(wanted, outcome)}")
    if not outcome.kept:
        print(f"BROKEN; ledger, logs and data lie in {folder}", file=sys.stderr)
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description=__doc__,
        epilog="example: python -m bench.soak --minutes 1 --kills 10 --seed 7",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=11.0, help="of kills; checking comes on top (11)")
    parser.add_argument("--kills", type=int, default=100, help="in that time (100)")
    parser.add_argument("--rate", type=int, default=10_000, help="points a second (10000)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random here (1)")
    parser.add_argument(
        "--folder", help="keep everything here; a temporary folder otherwise, removed if all is kept"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
