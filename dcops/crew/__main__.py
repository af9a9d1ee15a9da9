"""Where a worker begins: ``python -m dcops.crew``, started by ``dcops run --workers``."""

import signal
import sys


def main() -> int:
    """Run one worker; its exit code is of no interest but in a log."""
    for number in (signal.SIGINT, signal.SIGHUP):  # these may go to the whole group; the parent says when
        signal.signal(number, signal.SIG_IGN)
    from dcops import compiled  # noqa: PLC0415 - loading takes long enough for a signal to come

    compiled.require_current("dcops")
    from dcops.crew import worker  # noqa: PLC0415 - the modules of which that was asked are loaded by it

    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
