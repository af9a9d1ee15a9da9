"""Where the process begins: ``dcops``, or ``python -m dcops``."""

import signal
import sys


def main() -> int:
    """Run the command line and return its exit code.

    Ctrl-C ends the process without a word while the program is still loading, and again once the command is
    done: nobody is there who would take an exception. Where it is ignored, as in the background, it stays so.
    """
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from dcops import compiled  # noqa: PLC0415 - loading is what may be interrupted

    compiled.require_current("dcops")
    from dcops import cli  # noqa: PLC0415 - the modules of which that was asked are loaded by it

    try:
        return cli.main(loaded=_heed_interrupts if heeded else _as_it_is)
    finally:
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _as_it_is() -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
