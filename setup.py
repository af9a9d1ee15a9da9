"""Compiles what each poll passes through, where DCOPS_COMPILE=1 asks for it (docs/decisions/0042).

The modules are Python and remain so: mypyc makes extension modules of them, which are imported instead.
All else about the package is in pyproject.toml.
"""

import os
import time

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

BEGAN = time.time()

HOT = (
    "collectors/harvest.py",
    "collectors/schedule.py",
    "collectors/modbus/bus_time.py",
    "collectors/modbus/census.py",
    "collectors/modbus/connection.py",
    "collectors/modbus/contact.py",
    "collectors/modbus/deadlines.py",
    "collectors/modbus/device.py",
    "collectors/modbus/endpoint.py",
    "collectors/modbus/frames.py",
    "collectors/modbus/group.py",
    "collectors/modbus/layout.py",
    "collectors/modbus/lines.py",
    "collectors/modbus/link.py",
    "collectors/modbus/places.py",
    "collectors/modbus/plain_tcp.py",
    "collectors/modbus/readout.py",
    "collectors/modbus/rtu.py",
    "collectors/modbus/scan.py",
    "collectors/modbus/silence.py",
    "collectors/modbus/tally.py",
    "collectors/modbus/timeouts.py",
    "collectors/modbus/trial.py",
    "collectors/modbus/udp_link.py",
    "collectors/modbus/unit.py",
    "facility/durations.py",
)
"""Classes of these are not subclassed, nor their methods replaced, by what is not compiled."""


class BuildAsOfTheBeginning(build_ext):
    """Dates modules by when the build began: a source that is edited meanwhile is newer than they are."""

    def build_extension(self, ext: Extension) -> None:
        """Compile one, and date it."""
        super().build_extension(ext)
        os.utime(self.get_ext_fullpath(ext.name), (BEGAN, BEGAN))


if os.environ.get("DCOPS_COMPILE") == "1":
    from mypyc.build import mypycify

    setup(
        cmdclass={"build_ext": BuildAsOfTheBeginning},
        ext_modules=mypycify(
            [*HOT],
            opt_level=os.environ.get("MYPYC_OPT_LEVEL", "2"),
            debug_level="0",
            group_name="facility.compiled",
        ),
    )
else:
    setup()
