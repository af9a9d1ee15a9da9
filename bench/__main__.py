"""``python -m bench [NAME…]``: run all benchmarks, or those named, one after the other."""

import argparse
import importlib
import sys

_BENCHES = {
    "tick": "stale marking, rollups and 20 alarm rules on 1,000,000 points",
    "fuzz_modbus": "1,000,000 spoilt replies into the links of Modbus TCP, UDP and RTU",
    "modbus_client": "CPU per Modbus request of our client beside pymodbus",
}


def main() -> int:
    """Run them and return 0."""
    listed = "\n".join(f"  {name:15} {text}" for name, text in _BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *_BENCHES], help="which to run")
    for name in parser.parse_args().names or _BENCHES:
        print(f"\n## {name}: {_BENCHES[name]}\n", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
