"""A packet that comes more slowly than pings are answered: progress keeps the connection."""

import asyncio
from contextlib import suppress

import pytest

from collectors.health import EndpointState
from tests.collectors.conftest import until
from tests.collectors.mqtt_rig import bind, collecting
from tests.streams import stream_server


async def test_a_connection_over_which_a_packet_trickles_in_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("paho.mqtt.client.time_func", lambda: now)
    monkeypatch.setattr("collectors.mqtt_connection.monotonic", lambda: now)
    pings: list[float] = []
    there: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if kind == 0x10:
                    writer.write(b"\x20\x03\x00\x00\x00")
                elif kind == 0x82:
                    # SUBACK, and the beginning of a message of 127 bytes
                    writer.write(b"\x90\x04" + body[:2] + b"\x00\x01" + b"\x30\x7f\x00\x01x\x00")
                    there.append(writer)
                elif kind == 0xC0:
                    pings.append(now)
        writer.close()

    async with stream_server(serve) as port, collecting(port, bind("rack-climate", "climate")) as rig:
        await until(lambda: rig.state is EndpointState.CONNECTED)
        subscriber = rig.collection._brokers._subscribers["broker"]
        connection = subscriber._connection
        assert connection is not None
        for step in range(1, 8):
            now += 20.0
            there[0].write(b".")
            wanted = now
            await until(lambda wanted=wanted: connection._client._last_bytes_received == wanted)  # type: ignore[misc]
            connection._client.loop_misc()
            assert rig.state is EndpointState.CONNECTED, step
        assert pings
        for _ in range(3):  # nothing comes any more
            now += 31.0
            connection._client.loop_misc()
        await until(lambda: rig.errors["lost"] == 1)
        assert rig.collection.endpoints()[0].last_error == "it does not answer to pings"
