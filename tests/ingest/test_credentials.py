"""As whom stores are spoken to: names, passwords and tokens of any letters."""

import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from ingest.stores.http_client import HttpClient, HttpTarget
from ingest.stores.influx import InfluxStore, InfluxTarget
from tests.ingest.taking import taking
from tests.ingest.test_influx import entry
from tests.servers import processes

SECRET = "grün-100€"
LINE = b"meter,device=a power=1.5 1\n"


def test_a_real_influxdb_accepts_a_user_and_a_password_of_any_letters(tmp_path: Path) -> None:
    server = processes.influxd(tmp_path)
    with server:
        statement = f"CREATE USER \"zoë\" WITH PASSWORD '{SECRET}' WITH ALL PRIVILEGES"
        for each in ("CREATE DATABASE plant", statement):
            url = f"{server.url}/query?{urlencode({'q': each})}"
            with urllib.request.urlopen(url, data=b"", timeout=60) as reply:
                assert b"error" not in reply.read()
        server.stop()
        settings = tmp_path / "influxdb.conf"
        settings.write_text(settings.read_text().replace("[http]", "[http]\nauth-enabled = true"))
        server.start()
        client = HttpClient(HttpTarget(url=server.url, username="zoë", password=SECRET), "InfluxDB", {})
        client.post("/write", {"db": "plant", "precision": "ns"}, LINE)
        found = client.get("/query", {"db": "plant", "epoch": "ns", "q": "SELECT power FROM meter"})
        client.close()

    assert b'"values":[[1,1.5]]' in found


def credentials(seen: list[tuple[Mapping[str, str], bytes]]) -> list[bytes]:
    return [headers["Authorization"].encode("latin-1") for headers, _ in seen]


def test_a_bearer_token_of_any_letters_goes_as_utf_8() -> None:
    with taking() as (url, seen):
        HttpClient(HttpTarget(url=url, token=SECRET), "the store", {}).post("/write", {}, LINE)

    assert credentials(seen) == [b"Bearer gr\xc3\xbcn-100\xe2\x82\xac"]


async def test_a_token_of_influxdb_2_of_any_letters_goes_as_utf_8() -> None:
    with taking() as (url, seen):
        store = InfluxStore(InfluxTarget(url=url, org="o", bucket="b", token=SECRET))
        await store.write([entry(1, 5.0)])
        await store.close()

    assert credentials(seen) == [b"Token gr\xc3\xbcn-100\xe2\x82\xac"]


def test_a_token_of_several_lines_is_not_shown_in_an_error() -> None:
    """It goes without line ends; the store says what it thinks of that."""
    with taking() as (url, seen):
        HttpClient(HttpTarget(url=url, token="secret\nmore\r\n"), "the store", {}).post("/write", {}, LINE)

    assert credentials(seen) == [b"Bearer secretmore"]
