"""What a campus costs: ``make bench-campus``, or ``python -m bench.campus --help``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from bench.campus import bars, beside, curve, table
from bench.campus.case import PRESETS, Case
from bench.campus.measuring import measure
from bench.report import Figures, machine, verdict
from bench.responder import allow_many_connections

_EXAMPLES = """examples:
  make bench-campus
  make bench-campus ARGS="--points 10000,1000000 --seconds 600 --scrape 5s"
  make bench-campus ARGS="--points 1000000 --period 1s"
  make bench-campus ARGS="--points 100000 --telegraf /usr/bin/telegraf"
"""


def main() -> int:
    """Measure all that was asked for; 1 if a bar is broken."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING)
    allow_many_connections()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends what it has started too
    if options.telegraf:
        return _beside(options)
    runs: list[tuple[Case, Figures]] = []
    print(_machine(), flush=True)
    for points in options.points:
        case = _case(options, points)
        print(f"\n{case.name}: measuring", flush=True)
        runs = curve.with_steps([*runs, (case, asyncio.run(measure(case)))])
        if len(options.points) > 1:
            print(f"\n{table.figures(runs[-1:])}", flush=True)
    held = [(case.name, bars.of_one_run(case, found)) for case, found in runs]
    held.append(("all sizes", bars.of_the_curve(runs)))
    print(f"\n{table.figures(runs)}\n\n{curve.in_words(runs)}\n")
    for name, found in held:
        for bar in found:
            if bar.kept is None:
                print(f"        {name}: {bar.text}: not measured")
            else:
                print(verdict(bar.kept, f"{name}: {bar.text}: {bar.figure}"))
    table.write(options.output, _machine(), runs, held)
    print(f"\nwritten: {options.output.with_suffix('.md')} and {options.output.with_suffix('.json')}")
    return 1 if any(bar.kept is False for _, found in held for bar in found) else 0


def _beside(options: argparse.Namespace) -> int:
    runs = []
    for points in options.points:
        for dead in (0.0, 0.1):
            case = _case(options, points, dead)
            runs.append((case, asyncio.run(beside.compare(case, options.telegraf))))
            print(f"\n{beside.figures(runs[-1:])}", flush=True)
    text = f"{_machine()}\n\n{beside.figures(runs)}\n"
    print(f"\n{text}")
    options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    return 0


def _case(options: argparse.Namespace, points: int, dead: float | None = None) -> Case:
    return Case(
        points=points,
        period=options.period,
        dead=options.dead if dead is None else dead,
        store=options.store is not None,
        scrape=options.scrape,
        workers=options.workers,
        seconds=options.seconds,
        asked=options.asked,
        base_port=options.base_port,
        folder=options.folder / f"{points}",
    )


def _machine() -> str:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{machine()}\nload average {load}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.campus",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--points", type=_sizes, default=list(PRESETS), help="sizes, with commas (default: all four)"
    )
    parser.add_argument("--period", type=_time, default=10.0, help="between two readings: 10s (default), 1s")
    parser.add_argument(
        "--seconds", type=_time, default=60.0, help="CPU and polls, while nobody asks (default: 60)"
    )
    parser.add_argument(
        "--asked", type=_time, default=60.0, help="then from registers to the API and alarms (default: 60)"
    )
    parser.add_argument("--dead", type=_share, default=0.0, help="share of devices that never answer: 10%%")
    parser.add_argument("--store", choices=["victoriametrics"], help="a second store, on this machine")
    parser.add_argument(
        "--scrape", type=_time, default=0.0, help="scrape /metrics this often while nobody asks: 5s"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that collect")
    parser.add_argument("--base-port", type=int, default=26_000, help="of the simulated devices")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/dcops-campus"), help="for data and logs")  # noqa: S108
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("bench-campus"),
        help="writes this .md and .json (default: %(default)s)",
    )
    parser.add_argument(
        "--telegraf",
        type=Path,
        default=os.environ.get("TELEGRAF") or None,
        help="the program: read the same devices with it, beside dcops (default: $TELEGRAF)",
    )
    return parser


def _sizes(text: str) -> list[int]:
    sizes = [int(each.replace("_", "")) for each in text.split(",")]
    if not set(sizes) <= set(PRESETS):
        raise argparse.ArgumentTypeError(f"{text!r}: sizes are {', '.join(map(str, PRESETS))}")
    return sizes


def _time(text: str) -> float:
    units = {"ms": 1e-3, "min": 60.0, "s": 1.0}
    for unit, factor in units.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    return float(text)


def _share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


if __name__ == "__main__":
    sys.exit(main())
