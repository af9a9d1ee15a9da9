"""Messages that were of no use, kept in the data folder for a person to look into.

One JSON object a line: when, broker, topic, reason, size, and the payload as text, or in base64 where it is
none. Two files at most: when the first is full it takes the place of the second.
"""

import asyncio
import base64
import logging
from collections import deque
from pathlib import Path

import orjson

from facility.clock import Clock
from facility.sample import NANOSECONDS

_LOG = logging.getLogger(__name__)

NAME = "rejected-messages.jsonl"
FORMER = "rejected-messages.old.jsonl"
MOST_BYTES = 8 << 20
"""Of one file."""
MOST_PAYLOAD = 4096
"""Bytes of a payload that are kept."""
_MOST_WAITING = 10_000
_PAUSE = 1.0
"""Seconds that messages are gathered for one write."""


class RejectedMessages:
    """``put`` never waits; ``run`` writes."""

    def __init__(self, folder: Path, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = 0
        """Messages not kept because too many came at once."""
        self._path = folder / NAME
        self._former = folder / FORMER
        self._clock = clock
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._told = ""

    def put(self, broker: str, topic: str, reason: str, payload: bytes) -> None:
        """Take a message."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(_line(self._clock.now(), broker, topic, reason, payload))
        self._arrived.set()

    async def run(self) -> None:
        """Write what came in until cancelled, and then the rest."""
        try:
            while True:
                await self._arrived.wait()
                await asyncio.sleep(_PAUSE)
                self._arrived.clear()
                await asyncio.to_thread(self.write)
        finally:
            self.write()

    def write(self) -> None:
        """Append what came in to the file. What cannot be written is given up, which is said once."""
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                for line in lines:
                    file.write(line)
                size = file.tell()
            if size > self._most_bytes:
                self._path.replace(self._former)
        except OSError as error:
            self.dropped += len(lines)
            if not self._told:
                _LOG.warning("rejected messages cannot be kept: %s", error)
            self._told = str(error)
        else:
            self._told = ""


def _line(now: int, broker: str, topic: str, reason: str, payload: bytes) -> bytes:
    kept = payload[:MOST_PAYLOAD]
    content: dict[str, str]
    try:
        content = {"payload": kept.decode()}
    except UnicodeDecodeError:
        content = {"payload_base64": base64.b64encode(kept).decode()}
    line = {
        "time": now / NANOSECONDS,
        "broker": broker,
        "topic": topic,
        "reason": reason,
        "size": len(payload),
        **content,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
