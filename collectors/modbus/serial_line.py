"""Serial lines for Modbus RTU: the one place that knows serialx.

The direction of an RS-485 line is switched by the adapter or by the kernel's driver, as nearly all do by
themselves; serialx has no setting for it. A line is opened for this process alone.
"""

import asyncio
from collections.abc import Callable

import serialx

from collectors.config import ModbusEndpoint, SerialParity
from collectors.modbus import Errors, Link, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.rtu import Belated, RtuLink, character_time, frame_gap
from collectors.reasons import in_words

_PARITIES = {
    SerialParity.NONE: serialx.Parity.NONE,
    SerialParity.EVEN: serialx.Parity.EVEN,
    SerialParity.ODD: serialx.Parity.ODD,
}
_STOP_BITS = {1: serialx.StopBits.ONE, 2: serialx.StopBits.TWO}
SERIAL_SETTLE = 0.02
"""Seconds without a byte, at least, after which a line is taken to be silent: adapters hold bytes back."""


class SerialConnector:
    """Opens the line of an endpoint; calling it does."""

    __slots__ = ("_belated", "_deadlines", "_endpoint", "_errors")

    def __init__(
        self, endpoint: ModbusEndpoint, deadlines: Deadlines, errors: Errors, belated: Belated
    ) -> None:
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._errors = errors
        self._belated = belated

    async def __call__(self, lost: Lost) -> Link:
        """A link on the open line.

        Raises:
            OSError: the line is not there, is in use, or cannot be set as asked.
            TimeoutError: it did not open in time.
        """
        line = self._endpoint
        gap = frame_gap(line.baud)
        link = RtuLink(
            timeout=line.timeout,
            deadlines=self._deadlines,
            errors=self._errors,
            lost=lost,
            gap=gap,
            settle=max(gap, SERIAL_SETTLE),
            character=character_time(line.baud),
            belated=self._belated,
        )
        async with asyncio.timeout(line.timeout):
            await _open(line, lambda: link)
        return link


async def _open(line: ModbusEndpoint, protocol: Callable[[], asyncio.Protocol]) -> None:
    try:
        await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            protocol,
            line.device,
            baudrate=line.baud,
            parity=_PARITIES[line.parity],
            stopbits=_STOP_BITS[line.stop_bits],
        )
    except (serialx.SerialException, ValueError) as error:
        raise OSError(f"{line.device} cannot be opened: {in_words(error)}") from error
