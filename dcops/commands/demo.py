"""``dcops demo``: a simulated data centre and the platform on it, in one process."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from collectors.config import MqttVersion, host_and_port
from dcops.errors import DcopsError, in_words
from dcops.logs import configure
from dcops.options import add_address, add_verbose, positive, seconds, whole
from dcops.pace import Pace
from dcops.platform import Platform
from dcops.ports import check_page, free_base_port
from dcops.running import load_site, run_async, stop_on_signal
from dcops.settings import Settings
from dcops.site_file import LoadedSite
from dcops.stages import stage
from dcops.summary import Summary, print_summary
from dcops.truth import TruthLog
from facility.sample import NANOSECONDS
from facility.spaces import Level
from simulators.clock import ScaledClock
from simulators.errors import SimulationError
from simulators.plant import Plant
from simulators.scenario import Scenario, load_scenario
from simulators.scenario_steps import Wires
from simulators.simulation import Simulation
from simulators.sitegen import PRESETS, ShapeError, generate, write_site

_USUAL_PERIOD = 5.0
_READY_SECONDS = 30.0
_EXAMPLE = """examples:
  dcops demo                                   the live page at http://127.0.0.1:8080/ until Ctrl-C
  dcops demo --duration 60                     ends by itself and prints a summary
  dcops demo --scenario feed-a-lost            with something going wrong
  dcops demo --speed 360 --duration 4min       a day in four minutes
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "demo",
        help="show the live page of a simulated data centre",
        description="Generate a site, serve its devices on the wire, collect them and show the live page."
        " Everything is embedded: no server is needed, and nothing is left behind unless --data is given.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address(parser)
    parser.add_argument(
        "--duration", type=seconds, metavar="TIME", help="end after this time (default: run on)"
    )
    parser.add_argument(
        "--speed", type=positive, default=1.0, help="simulated seconds per second (default: 1)"
    )
    parser.add_argument("--period", type=seconds, metavar="TIME", help="time between two polls (default: 5s)")
    parser.add_argument("--scenario", metavar="NAME|FILE", help="what goes wrong, and when")
    parser.add_argument("--seed", type=whole, default=1, help="seed of all randomness (default: 1)")
    parser.add_argument(
        "--racks", type=whole, default=PRESETS["demo"].racks, help="racks per row (default: 10)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep site, journal and history here")
    add_verbose(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until a signal or the duration; 1 if the world is wrong."""
    configure(verbose=args.verbose)
    with ExitStack() as cleanup:
        folder = args.data or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="dcops-demo-")))
        try:
            check_page(args.host, args.port)
            loaded = _prepare(folder, args)
            scenario = _scenario(args.scenario, loaded) if loaded is not None else None
        except (DcopsError, SimulationError, ShapeError, OSError) as error:
            print(f"dcops demo: {in_words(error)}", file=sys.stderr)
            return 1
        if loaded is None:
            return 1
        demo = _Demo(loaded, scenario, folder, args)
        return run_async("dcops demo", demo.run)


def _prepare(folder: Path, args: argparse.Namespace) -> LoadedSite | None:
    """Write the site and read it back, as a user's own would be."""
    period = args.period or Pace(args.speed).period(_USUAL_PERIOD)
    shape = replace(PRESETS["demo"], racks=args.racks, period=f"{period:g}s")
    endpoints = len(generate(shape, args.seed).endpoints)
    base = free_base_port(endpoints)
    shape = replace(shape, base_port=base, broker_port=base + endpoints - 1)
    write_site(generate(shape, args.seed), folder / "site")
    loaded = load_site(str(folder / "site"))
    if loaded is not None:
        # Which the embedded broker speaks: what is known need not be tried.
        brokers = tuple(replace(each, version=MqttVersion.OLD) for each in loaded.plan.brokers)
        loaded = replace(loaded, plan=replace(loaded.plan, brokers=brokers))
    if loaded is not None and args.speed > 1:
        loaded = replace(loaded, plan=Pace(args.speed).hasten(loaded.plan))
    return loaded


def _scenario(name: str | None, loaded: LoadedSite) -> Scenario | None:
    if name is None:
        return None
    return load_scenario(name, loaded.site, Wires.of(loaded.plan))


@dataclass(slots=True)
class _Demo:
    """One run."""

    loaded: LoadedSite
    scenario: Scenario | None
    folder: Path
    args: argparse.Namespace

    async def run(self) -> int:
        pace = Pace(self.args.speed)
        start = time.time_ns()
        clock = ScaledClock(start, pace.speed)
        site = self.loaded.site
        plant = Plant(site, self.args.seed, start)
        simulation = Simulation(
            site,
            self.loaded.plan,
            plant,
            clock,
            scenario=self.scenario,
            start_broker=True,
            resolution=pace.resolution,
        )
        settings = Settings(
            data=self.folder,
            host=self.args.host,
            port=self.args.port,
            allowed_hosts=self.args.allowed_hosts,
            tick_period=pace.tick_period,
            speed=pace.speed,
            on_listening=self._say,
        )
        platform = Platform(self.loaded, clock, settings, os.environ)
        shown = tuple(s.id for s in site.spaces if s.level in {Level.CAMPUS, Level.BUILDING})
        settling = 2 * max(device.period for device in site.devices)
        truth = TruthLog(plant, simulation.readings.refresh, shown, settling)
        served = {"simulation": simulation.run()}
        if pace.speed > 1:
            served["clock"] = clock.keep_pace()
        async with stop_on_signal(self.args.duration) as stop, stage(served):
            async with asyncio.timeout(_READY_SECONDS):
                await simulation.ready.wait()
            done = asyncio.Event()
            async with stage({"truth": truth.run(platform.signal)}), asyncio.TaskGroup() as group:
                group.create_task(platform.run(done), name="platform")
                await stop.wait()
                await platform.catch_up()
                compared = await truth.compare(platform.history.history)
                summary = Summary.of(site, platform, compared, (clock.now() - start) / NANOSECONDS)
                done.set()
        print_summary(summary)
        return 0

    def _say(self, port: int) -> None:
        place = host_and_port(self.args.host, port)
        print(f"The live page is at http://{place}/   (Ctrl-C ends)", flush=True)
