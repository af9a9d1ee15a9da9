"""Simulated devices on a serial line, or on a pseudo-terminal that stands for one."""

import asyncio
import errno
import os
import termios
import tty
from pathlib import Path

from collectors.config import ModbusEndpoint, SerialParity
from simulators.wire.framing import Frame, Rtu, Side
from simulators.wire.replies import Take, cannot_serve, replying

_TERMINALS = Path("/dev/pts")
"""Where pseudo-terminals are."""
_READ_SIZE = 4096


class SerialListener:
    """Devices on a serial line: a port of this machine, or a pseudo-terminal made for the purpose.

    A path that is not there becomes a link to a new pseudo-terminal, for the time it listens; a collector on
    this machine opens it like any serial port.
    """

    def __init__(self, endpoint: ModbusEndpoint, take: Take) -> None:
        self._endpoint = endpoint
        self._take = take
        self._framing = Rtu()
        self._splitter = self._framing.splitter(Side.REQUEST)
        self._line = -1
        self._far_end = -1
        """The collector's end of a pseudo-terminal: held so that the line outlives each of its visits."""
        self._address = endpoint.device
        self._link: Path | None = None

    @property
    def address(self) -> str:
        """Path of the line's other end."""
        return self._address

    async def start(self) -> None:
        """Opens the line; raises ListenError if that is not possible."""
        if self._line >= 0:
            return
        path = Path(self._endpoint.device) if self._endpoint.device else None
        try:
            if path is not None and path.exists() and not _is_left_over(path):
                self._line = _open_port(path, self._endpoint)
            else:
                self._open_terminal(path)
        except (OSError, termios.error) as error:
            await self.stop()
            raise cannot_serve(self._endpoint, OSError(*error.args[:2])) from error
        self._splitter = self._framing.splitter(Side.REQUEST)
        asyncio.get_running_loop().add_reader(self._line, self._readable)

    async def stop(self) -> None:
        """Closes the line; it may be started again."""
        if self._line >= 0:
            asyncio.get_running_loop().remove_reader(self._line)
        for end in (self._line, self._far_end):
            if end >= 0:
                os.close(end)
        self._line = self._far_end = -1
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link = None

    def _open_terminal(self, path: Path | None) -> None:
        self._line, self._far_end = os.openpty()
        os.set_blocking(self._line, False)
        _unset(self._far_end)
        self._address = os.ttyname(self._far_end)
        if path is not None:
            path.unlink(missing_ok=True)
            path.symlink_to(self._address)
            self._link = path
            self._address = str(path)

    def _readable(self) -> None:
        try:
            data = os.read(self._line, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # an adapter was pulled out
            asyncio.get_running_loop().remove_reader(self._line)
            return
        if self._far_end >= 0:
            _unset(self._far_end)
        for piece in self._splitter.feed(data):
            if isinstance(piece, Frame):
                self._take(piece.unit, piece.pdu, replying(self._framing, piece, self._write))

    def _write(self, frame: bytes) -> None:
        if self._line < 0:
            return
        try:
            os.write(self._line, frame)
        except OSError:
            return  # as on a real line, what nobody takes is lost


def _unset(terminal: int) -> None:
    """Make a pseudo-terminal raw, at a speed nobody uses.

    It takes any speed but no parity, and the C library reports parity as an error if nothing else changed
    either: whoever set the same before would be refused.
    """
    tty.setraw(terminal)
    settings = termios.tcgetattr(terminal)
    settings[4] = settings[5] = termios.B50
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def _is_left_over(path: Path) -> bool:
    """Whether it is a link to a pseudo-terminal, as one that was not stopped in order leaves."""
    return path.is_symlink() and path.readlink().parent == _TERMINALS


def _open_port(path: Path, endpoint: ModbusEndpoint) -> int:
    """A serial port, set as the endpoint says: raw, eight bits."""
    speed = getattr(termios, f"B{endpoint.baud}", None)
    if speed is None:
        raise OSError(errno.EINVAL, f"this machine does not support {endpoint.baud} baud")
    port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        tty.setraw(port)
        settings = termios.tcgetattr(port)
        settings[2] &= ~(termios.PARENB | termios.PARODD | termios.CSTOPB)
        settings[2] |= termios.CLOCAL | termios.CREAD
        settings[2] |= termios.CSTOPB if endpoint.stop_bits > 1 else 0
        settings[2] |= 0 if endpoint.parity is SerialParity.NONE else termios.PARENB
        settings[2] |= termios.PARODD if endpoint.parity is SerialParity.ODD else 0
        settings[4] = settings[5] = speed
        termios.tcsetattr(port, termios.TCSANOW, settings)
    except BaseException:
        os.close(port)
        raise
    return port
