"""The devices of a soak, in a process of their own: Modbus servers and MQTT publishers that keep a ledger.

``python -m bench.soak.field LOAD.json LEDGER.npz``. It says ``ready``, then does what it is told, line by
line: ``publish``; ``quiet``, answered with ``quiet`` once the broker has acknowledged every message; ``end``,
which saves the ledger.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bench.soak.ledger import Notes
from bench.soak.load import FIELDS, POINTS, PUBLISHERS, Load, field_value, is_timed, registers
from bench.soak.site import topic
from collectors.config import ModbusEndpoint
from collectors.profiles import Table
from simulators.wire.answering import Refusal, RefusedError
from simulators.wire.modbus import ModbusServer

_HOST = "127.0.0.1"
_ONCE_OR_MORE = 1
_PERIOD = 0.05
"""Seconds between two looks which messages are due."""


class CountingUnit:
    """A Modbus device whose registers tell how often it was read."""

    silent = False

    def __init__(self, device: int, notes: Notes) -> None:
        self._device = device
        self._notes = notes
        self._reads = 0

    def read(self, table: Table, address: int, count: int) -> bytes:
        """The registers; only a read of all of them counts, others ask whether it is there."""
        if table is not Table.HOLDING or address + count > POINTS:
            raise RefusedError(Refusal.ILLEGAL_ADDRESS)
        if count == POINTS:
            self._reads += 1
            self._notes.read(self._device, self._reads, time.time_ns())
        return registers(self._reads)[2 * address : 2 * (address + count)]


class Publisher(threading.Thread):
    """Publishes for some devices with QoS 1; paho sends each message again until it is acknowledged."""

    def __init__(self, number: int, load: Load, notes: Notes, lock: threading.Lock) -> None:
        super().__init__(name=f"publisher {number}", daemon=True)
        self.ending = threading.Event()
        self._load = load
        self._devices = range(number, load.publishing, PUBLISHERS)
        self._interval = load.publishing / load.messages
        self._notes = notes
        self._lock = lock
        self._published = self._acknowledged = 0
        self._times = dict.fromkeys(self._devices, 0)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"soak-publisher-{number}", clean_session=False
        )
        self._client.on_publish = self._acknowledge
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 1)

    def run(self) -> None:
        """Publish until told to end, and then wait until all is acknowledged."""
        self._client.connect_async(_HOST, self._load.broker_port)
        self._client.loop_start()
        began = time.monotonic()
        due = {
            device: began + self._interval * at / len(self._devices)
            for at, device in enumerate(self._devices)
        }
        while not self.ending.wait(_PERIOD):
            now = time.monotonic()
            for device in self._devices:
                while due[device] <= now:
                    due[device] += self._interval
                    self._publish(device)
        while self._acknowledged < self._published:
            time.sleep(_PERIOD)
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, device: int) -> None:
        """One message with a number and a time that no other of its device has."""
        at = self._times[device] = max(self._times[device] + 1, time.time_ns() // 1_000_000)
        with self._lock:
            number = self._notes.messages
            self._notes.message(device, at)
        values = {"v": [field_value(number, field) for field in range(FIELDS)]}
        payload = json.dumps({"ts": at, **values} if is_timed(device) else values)
        self._published += 1
        self._client.publish(topic(device), payload, qos=_ONCE_OR_MORE)

    def _acknowledge(self, *_: object) -> None:
        """In paho's thread: the broker has a message."""
        self._acknowledged += 1


def servers(load: Load, notes: Notes) -> Iterable[ModbusServer]:
    """The Modbus servers of a load."""
    units: list[dict[int, CountingUnit]] = [{} for _ in load.modbus_ports]
    for device in range(load.polled):
        endpoint, unit = load.place(device)
        units[endpoint][unit] = CountingUnit(device, notes)
    for at, port in enumerate(load.modbus_ports):
        yield ModbusServer(ModbusEndpoint(id=f"server-{at}", host=_HOST, port=port), units[at])


async def serve(load: Load, ledger: Path) -> None:
    """Do as standard input says."""
    notes, lock = Notes(), threading.Lock()
    listening = list(servers(load, notes))
    for server in listening:
        await server.start()
    publishers = [Publisher(number, load, notes, lock) for number in range(PUBLISHERS)]
    print("ready", flush=True)
    while (word := (await asyncio.to_thread(sys.stdin.readline)).strip()) not in {"", "end"}:
        for publisher in publishers:
            if word == "publish":
                publisher.start()
            else:
                publisher.ending.set()
        if word == "quiet":
            for publisher in publishers:
                await asyncio.to_thread(publisher.join)
            print("quiet", flush=True)
    for server in listening:
        await server.stop()
    notes.save(ledger)


def _end_at_once(failed: threading.ExceptHookArgs) -> None:
    """A publisher has failed: the ledger would not be true."""
    threading.__excepthook__(failed)
    os._exit(1)


def main(load: Path, ledger: Path) -> None:
    """Serve a load, keep a ledger."""
    threading.excepthook = _end_at_once
    words = json.loads(load.read_text("utf-8"))
    words["modbus_ports"] = tuple(words["modbus_ports"])
    asyncio.run(serve(Load(**words), ledger))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
