"""Receivers that repeat what they were sent: nothing of it that is secret is told."""

import base64
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from alerting.alertmanager import Alertmanager, AlertmanagerOptions
from alerting.delivery import Channel
from alerting.errors import DeliveryError
from alerting.posting import post
from alerting.secrecy import secrets_of, without
from alerting.webhook import Webhook, WebhookOptions
from tests.alerting.plant import make_alarm
from tests.servers.processes import free_port

TOKENS = ("T0KEN-in-path", "k3y=in/query&x", "an na", "pässword", "hush-hush")


class Echo:
    """Answers with the status it is told and all it was sent but the body; and with more before it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status = 400
        self.before = ""

    async def answer(self, request: web.Request) -> web.Response:
        headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        decoded = [*request.match_info.values(), *request.query.values()]
        said = f"{self.before}no such hook {request.raw_path} {request.path_qs} {decoded}\n{headers}"
        return web.Response(status=self.status, text=said)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    found = Echo()
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", found.port).start()
    yield found
    await runner.cleanup()


def address(echo: Echo) -> str:
    path, key, user, password, _ = TOKENS
    url = URL.build(
        scheme="http", user=user, password=password, host="127.0.0.1", port=echo.port, path=f"/hooks/{path}"
    )
    return str(url.with_query(key=key))


async def failure(channel: Channel) -> str:
    with pytest.raises(DeliveryError) as caught:
        await channel.send([make_alarm()])
    return str(caught.value)


def leaked(told: str) -> list[str]:
    credentials = base64.b64encode(f"{TOKENS[2]}:{TOKENS[3]}".encode("latin1")).decode()
    pieces = [*TOKENS, credentials, "k3y", "sha256=", "an%20na", "p%C3%A4ss"]
    return [piece for piece in pieces if piece in told]


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_webhook_that_repeats_its_address_and_headers_gives_nothing_away(
    echo: Echo, status: int
) -> None:
    echo.status = status
    async with aiohttp.ClientSession() as session:
        options = WebhookOptions(url=address(echo), site="s", secret=TOKENS[4])
        told = await failure(Webhook(session, options))
    assert told.startswith(f"http://127.0.0.1:{echo.port}: status {status}: no such hook ")
    assert leaked(told) == []


async def test_an_alertmanager_that_repeats_them_gives_nothing_away(echo: Echo) -> None:
    async with aiohttp.ClientSession() as session:
        told = await failure(Alertmanager(session, AlertmanagerOptions(url=address(echo), site="s")))
    assert "no such hook" in told
    assert leaked(told) == []


@pytest.mark.parametrize("length", range(150, 200, 7))
async def test_no_part_of_a_token_is_told_where_the_answer_is_cut(echo: Echo, length: int) -> None:
    echo.before = "." * length
    async with aiohttp.ClientSession() as session:
        told = await failure(Webhook(session, WebhookOptions(url=address(echo), site="s")))
    assert "T0KEN" not in told
    assert "k3y" not in told


async def test_no_part_of_a_token_is_told_where_reading_ends(echo: Echo) -> None:
    token = "abcdefghij" * 60
    echo.before = f"{token} " * 10
    async with aiohttp.ClientSession() as session:
        url = URL(f"http://127.0.0.1:{echo.port}/")
        with pytest.raises(DeliveryError) as caught:
            await post(session, url, b"{}", headers={"X": "1"}, seconds=30, secrets={token})
    assert "abcdefghij" not in str(caught.value)


def test_a_secret_is_found_however_it_is_quoted() -> None:
    secret = 'a&b "c"/ü'
    for form in (secret, "a%26b%20%22c%22%2F%C3%BC", "a&amp;b &quot;c&quot;/ü", 'a&b \\"c\\"/\\u00fc'):
        assert without(f"<{form}>", {secret}, whole=True) == "<…>"


def test_the_words_of_an_answer_stay() -> None:
    secrets = secrets_of(URL("https://pager.example/v2/hooks/T0KEN?id=7"))
    assert without("v2: no id 7 at T0KEN", secrets, whole=True) == "v2: no id 7 at …"
