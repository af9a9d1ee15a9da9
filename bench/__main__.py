"""``python -m bench [NAME…]``: run all benchmarks, or those named, one after the other."""

import argparse
import importlib
import sys

_BENCHES = {
    "tick": "stale marking, rollups and 20 alarm rules on 1,000,000 points",
    "fuzz_modbus": "1,000,000 spoilt replies into the links of Modbus TCP, UDP and RTU",
    "modbus_client": "CPU per Modbus request of our client beside pymodbus, as fast as it goes",
    "campus_links": "CPU per request from timer to LiveImage beside pymodbus, 2,000 connections",
    "simulator": "what a simulated campus costs that is read every second: CPU a request, memory, start",
    "footprint": "memory of 10,000 idle connections; 500 devices read every second",
    "history": "60 M readings in the embedded history, asked while 10,000 a second come in",
    "scrape": "/metrics of a running campus: CPU, time to the last byte, stalls",
    "reload": "one device of a running campus gets another profile: time, stalls, missed polls",
    "storing": "what report by exception saves on a simulated hall, by deadband",
    "neighbours": "what dead units and silent endpoints cost the healthy ones",
}


def main() -> int:
    """Run them; 1 if a bar is broken."""
    listed = "\n".join(f"  {name:15} {text}" for name, text in _BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *_BENCHES], help="which to run")
    kept = True
    for name in parser.parse_args().names or _BENCHES:
        print(f"\n## {name}: {_BENCHES[name]}\n", flush=True)
        kept &= importlib.import_module(f"bench.{name}").main()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
