"""Compiles what each poll passes through, where DCOPS_COMPILE=1 asks for it (docs/decisions/0042).

The modules are Python and remain so: mypyc makes extension modules of them, which are imported instead.
All else about the package is in pyproject.toml.
"""

import os

from setuptools import setup

HOT = (
    "collectors/harvest.py",
    "collectors/schedule.py",
    "collectors/modbus/bus_time.py",
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

if os.environ.get("DCOPS_COMPILE") == "1":
    from mypyc.build import mypycify

    setup(ext_modules=mypycify([*HOT], opt_level="2", debug_level="0", group_name="facility.compiled"))
else:
    setup()
