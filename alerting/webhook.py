"""A webhook: alarms raised and cleared, as JSON, to an address of the site's choice.

The body is ``{"site": …, "events": [{"event": "raised" | "cleared", "alarm": {…}}]}``, events in order, alarm
fields as in ``alerting.alarms.Alarm``, times in ns since the epoch. If the site says where its runbook is,
``runbook`` in the event is the address of the alarm's section. With a secret, the header
``X-Dcops-Signature`` holds ``sha256=`` and the HMAC-SHA256 of the body in hex, as GitHub signs its own.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from alerting.alarms import Alarm
from alerting.posting import post
from alerting.secrecy import secrets_of

SIGNATURE = "X-Dcops-Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Where to, and as whom."""

    url: str = field(repr=False)
    """May hold a token."""
    site: str
    secret: str | None = field(default=None, repr=False)
    runbook: str = ""
    """Where the runbook is read; empty if nobody said."""
    timeout: float = 10.0
    """Seconds."""


class Webhook:
    """A channel that posts every change once."""

    def __init__(self, session: aiohttp.ClientSession, options: WebhookOptions) -> None:
        self._session = session
        self._options = options
        self._url = URL(options.url)
        self._secrets = secrets_of(self._url, options.secret)

    @property
    def name(self) -> str:
        """What to call it; leaves out path and query, where tokens stand."""
        return f"webhook {self._url.origin()}"

    async def send(self, alarms: Sequence[Alarm]) -> None:
        """See ``alerting.delivery.Channel``."""
        body = webhook_body(self._options.site, alarms, self._options.runbook)
        secret = self._options.secret
        headers = {SIGNATURE: sign(body, secret)} if secret is not None else {}
        await post(
            self._session,
            self._url,
            body,
            headers=headers,
            seconds=self._options.timeout,
            secrets=self._secrets,
        )


def webhook_body(site: str, alarms: Sequence[Alarm], runbook: str = "") -> bytes:
    """The JSON that carries these alarms, with the addresses of their sections if the runbook has one."""
    events = [
        {
            "event": "raised" if alarm.cleared is None else "cleared",
            "alarm": alarm.as_record(),
            **({"runbook": alarm.runbook_at(runbook)} if runbook else {}),
        }
        for alarm in alarms
    ]
    return json.dumps({"site": site, "events": events}, ensure_ascii=False).encode()


def sign(body: bytes, secret: str) -> str:
    """The signature a receiver compares with its own."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
