"""An MQTT broker within the process, for demos: loopback, anonymous, nothing kept on disk."""

import asyncio
import logging
from types import TracebackType
from typing import Self

from amqtt.broker import Broker  # type: ignore[import-untyped]  # it ships no types
from amqtt.errors import BrokerError  # type: ignore[import-untyped]  # it ships no types

from simulators.errors import ListenError

_CONFIG_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


class EmbeddedBroker:
    """A broker that listens from ``async with`` on to its end."""

    def __init__(self, host: str, port: int) -> None:
        self._address = f"{host}:{port}"
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": self._address}},
                "plugins": _CONFIG_PLUGINS,
            }
        )

    async def __aenter__(self) -> Self:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
        """
        try:
            await self._broker.start()
        except (BrokerError, OSError) as error:
            raise ListenError(f"broker: {self._address} cannot be listened on: {error}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(self._broker.shutdown())
