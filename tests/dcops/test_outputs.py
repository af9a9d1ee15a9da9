"""What a site says about stores becomes the stores it names, each with its own rate."""

from pathlib import Path

import aiohttp

from dcops.outputs import build_notifiers, build_stores
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import InfluxStoreConfig, InfluxV1StoreConfig, SecretRef, VictoriaStoreConfig, load
from ingest.stores.influx import InfluxStore
from ingest.stores.influx_v1 import InfluxV1Server
from ingest.stores.line_store import LineStore
from ingest.stores.victoria import VictoriaServer
from tests.ingest.plant import StillClock, catalogue
from tests.site_file.sites import SITE, write_site

INFLUX = InfluxStoreConfig(name="influxdb", url="http://127.0.0.1:1", org="o", bucket="b")
INFLUX_1 = InfluxV1StoreConfig(
    name="v1",
    url="http://127.0.0.1:1",
    database="plant",
    username="u",
    secret=SecretRef(env="GONE"),
    backlog_rate=25.0,
)
VICTORIA = VictoriaStoreConfig(name="vm", url="http://127.0.0.1:1", history=True)


async def test_each_kind_is_built_even_without_its_secret() -> None:
    built = build_stores([INFLUX, INFLUX_1, VICTORIA], catalogue(), {})
    assert [type(store) for store in built.stores] == [InfluxStore, LineStore, LineStore]
    assert [type(store._server) for store in built.told] == [InfluxV1Server, VictoriaServer]
    assert [store.name for store in built.stores] == ["influxdb", "v1", "vm"]
    assert built.backlog_rates == (10.0, 25.0, 10.0)
    assert built.answering is built.stores[2]
    assert build_stores([INFLUX, INFLUX_1], catalogue(), {}).answering is None
    for store in built.stores:
        await store.close()


async def test_the_store_that_a_site_chooses_answers_for_the_past(tmp_path: Path) -> None:
    stores = 'stores:\n  - {kind: victoriametrics, url: "http://127.0.0.1:1", history: true}\n'
    for site, chosen in ((SITE, "history"), (SITE + stores, "victoriametrics")):
        platform = Platform(load(write_site(tmp_path, site)), StillClock(), Settings(data=tmp_path), {})
        answering = platform._view(platform.live).history.__self__
        assert answering.name == chosen
        for store in platform._stores:
            await store.close()


async def test_only_the_history_takes_few_readings_every_other_second(tmp_path: Path) -> None:
    stores = 'stores:\n  - {kind: victoriametrics, url: "http://127.0.0.1:1", backlog_rate: 20}\n'
    loaded = load(write_site(tmp_path, SITE + stores))
    platform = Platform(loaded, StillClock(), Settings(data=tmp_path, speed=10.0), {})
    history, victoria = (delivery._pace for delivery in platform.deliveries)
    assert (history.seconds, history.few, history.few_seconds, history.live) == (10.0, 20_000, 20.0, 40.0)
    assert (victoria.seconds, victoria.few, victoria.live, victoria.backlog) == (10.0, 0, 20.0, 20.0)
    for store in platform._stores:
        await store.close()


async def test_an_alertmanager_is_told_in_which_spaces_an_alarm_is(tmp_path: Path) -> None:
    notify = 'notify:\n  - {kind: alertmanager, url: "http://127.0.0.1:1"}\n'
    loaded = load(write_site(tmp_path, SITE + notify))
    async with aiohttp.ClientSession() as session:
        (notifier,) = build_notifiers(
            loaded, session=session, active=lambda: (), site=lambda: loaded.site, environ={}
        )
    spaces = notifier._channel._options.spaces  # type: ignore[attr-defined]
    assert spaces("r1") == {"building": "b1", "rack": "r1"}
    assert spaces("campus") == {}
    assert spaces("gone") == {}
