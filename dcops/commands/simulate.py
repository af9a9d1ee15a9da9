"""``dcops simulate SITE``: serve the devices of a site on the wire."""

import argparse
import ssl
import time
from pathlib import Path

import uvloop

from collectors.config import ModbusProtocol
from dcops.errors import DcopsError
from dcops.garbage import no_search
from dcops.logs import configure
from dcops.options import add_verbose, positive, seconds, whole
from dcops.pace import Pace
from dcops.running import load_site, run_async, stop_on_signal
from dcops.site_file import LoadedSite
from dcops.stages import Work, stage
from facility.site import Site
from simulators.clock import ScaledClock
from simulators.errors import RecordingError
from simulators.plant import Plant
from simulators.playback import Playback
from simulators.readings import ValueSource
from simulators.recording import Recording
from simulators.scenario import Scenario, load_scenario
from simulators.scenario_steps import Wires
from simulators.simulation import Simulation

_EXAMPLE = """examples:
  dcops simulate site/ --broker
  dcops simulate site/ --scenario chiller-trip --seed 7
  dcops simulate site/ --replay monday.rec --speed 10
  dcops simulate site/ --tls-certificate device.pem --tls-key device.key
"""
_MOST_NAMED = 3
"""Devices."""


class UnusableCertificateError(DcopsError):
    """A file holds no certificate, or no key that goes with it."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "simulate",
        help="serve the devices of a site on the wire",
        description="Serve every device of a site at its address, which must be one of this machine.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE", help="site file, or folder with site.yaml")
    parser.add_argument("--seed", type=whole, default=1, help="seed of all randomness (default: 1)")
    parser.add_argument(
        "--speed", type=positive, default=1.0, help="simulated seconds per second (default: 1)"
    )
    parser.add_argument("--duration", type=seconds, metavar="TIME", help="end after this time")
    parser.add_argument("--scenario", metavar="NAME|FILE", help="what goes wrong, and when")
    parser.add_argument("--broker", action="store_true", help="also start an MQTT broker")
    parser.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="certificate of the devices that speak Modbus over TLS (PEM)",
    )
    parser.add_argument(
        "--tls-key", type=Path, metavar="FILE", help="its key (default: in the certificate's file)"
    )
    parser.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="ask collectors for a certificate of this authority",
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="serve a recording of samples instead")
    add_verbose(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal or the duration; 1 if the site, the scenario or the world is wrong."""
    configure(verbose=args.verbose)
    with no_search():
        loaded = load_site(args.site)
    if loaded is None:
        return 1
    return run_async("dcops simulate", lambda: _serve(loaded, args), uvloop.new_event_loop)


async def _serve(loaded: LoadedSite, args: argparse.Namespace) -> int:
    clock = ScaledClock(time.time_ns(), args.speed)
    with no_search():
        source = _source(loaded, args, clock.now())
        simulation = Simulation(
            loaded.site,
            loaded.plan,
            source,
            clock,
            _scenario(args.scenario, loaded),
            start_broker=args.broker,
            resolution=Pace(args.speed).resolution,
            tls=_tls(args.tls_certificate, args.tls_key, args.tls_client_ca),
        )
    tasks: dict[str, Work] = {"simulation": simulation.run()}
    if isinstance(source, Playback):
        tasks["end of the recording"] = _tell_its_end(args.replay, source.end, clock)
    async with stop_on_signal(args.duration) as stop, stage(tasks):
        await simulation.ready.wait()
        for server in simulation.servers:
            if server.endpoint.protocol is ModbusProtocol.RTU:
                print(f"endpoint {server.endpoint.id} is the serial line {server.address}")
        print(f"{len(loaded.site.devices):,} devices are served   (Ctrl-C ends)", flush=True)
        await stop.wait()
    print(f"{sum(server.requests for server in simulation.servers):,} requests came")
    return 0


def _source(loaded: LoadedSite, args: argparse.Namespace, start: int) -> ValueSource:
    if args.replay is None:
        return Plant(loaded.site, args.seed, start)
    return _playback(loaded.site, args.replay, start)


def _playback(site: Site, file: Path, start: int) -> Playback:
    """A recording played on a site, after saying which devices are not in it."""
    recording = Recording.read(file)
    if not recording.blocks:
        raise RecordingError(f"{file} holds no samples; was anything read while it was made?")
    playback = Playback(site, recording, start)
    absent, every = playback.absent, len(site.devices)
    if len(absent) == every:
        raise RecordingError(
            f"{file} is of another site: it has {recording.series[0]}, and nothing of this site's devices"
        )
    if absent:
        more = f" and {len(absent) - _MOST_NAMED:,} more" if len(absent) > _MOST_NAMED else ""
        verbs = "are not in the recording and do" if len(absent) > 1 else "is not in the recording and does"
        named = ", ".join(absent[:_MOST_NAMED])
        print(f"{len(absent):,} of {every:,} devices {verbs} not answer: {named}{more}")
    return playback


async def _tell_its_end(file: Path, end: int, clock: ScaledClock) -> None:
    await clock.sleep_until(end)
    print(f"{file} has been played; devices go on showing what they showed last", flush=True)


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """The devices' side of Modbus over TLS."""
    if certificate is None:
        if key is not None or client_ca is not None:
            raise UnusableCertificateError(
                "--tls-key and --tls-client-ca are of devices with a certificate; give --tls-certificate too"
            )
        return None
    for file in (certificate, key, client_ca):
        if file is not None:
            file.open("rb").close()  # the library does not name what it can't read
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
    except ssl.SSLError as error:
        files = ", ".join(str(each) for each in (certificate, key, client_ca) if each is not None)
        raise UnusableCertificateError(f"{files}: {error.reason or error}; give files in PEM form") from error
    return context


def _scenario(name: str | None, loaded: LoadedSite) -> Scenario | None:
    if name is None:
        return None
    return load_scenario(name, loaded.site, Wires.of(loaded.plan))
