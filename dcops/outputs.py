"""From what a site file says about stores and notifiers to the things that write and send."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import aiohttp

from alerting.alarms import Alarm
from alerting.alertmanager import REFRESH, Alertmanager, AlertmanagerOptions
from alerting.delivery import Channel, Notifier, NotifierOptions
from alerting.webhook import Webhook, WebhookOptions
from dcops.settings import Settings
from dcops.site_file import (
    AlertmanagerConfig,
    InfluxStoreConfig,
    InfluxV1StoreConfig,
    LoadedSite,
    NotifierConfig,
    SecretError,
    SecretRef,
    StoreConfig,
    VictoriaStoreConfig,
)
from facility.catalogue import Catalogue
from facility.clock import Clock
from facility.site import Site
from ingest.delivery import Delivery, Pace
from ingest.spool import Spool
from ingest.stores import ReadableStore, Store
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.http_client import HttpTarget
from ingest.stores.influx_v1 import InfluxDatabase, InfluxV1Server
from ingest.stores.line_store import LineStore
from ingest.stores.victoria import VictoriaServer

FEW_READINGS = 20_000
"""The history takes fewer than these every other second: a write costs as much as thousands of them."""


@dataclass(frozen=True, slots=True)
class SiteStores:
    """The servers a site names as stores."""

    stores: tuple[Store, ...]
    backlog_rates: tuple[float, ...]
    """How many times as fast as it came a backlog is written to each."""
    answering: ReadableStore | None
    """The one that answers for the past; None if that is the platform's own store."""
    told: tuple[LineStore, ...] = ()
    """Those that must know the catalogue to answer."""

    def use(self, catalogue: Catalogue) -> None:
        """The site has another catalogue from now on."""
        for store in self.told:
            store.use(catalogue)


def build_stores(
    configs: Sequence[StoreConfig], catalogue: Catalogue, environ: Mapping[str, str]
) -> SiteStores:
    """The stores a site names. A secret that cannot be had is left out: the store refuses and says so."""
    stores: list[Store] = []
    told: list[LineStore] = []
    answering: ReadableStore | None = None
    for config in configs:
        if isinstance(config, InfluxStoreConfig):
            stores.append(_influx(config, environ))
            continue
        store = _readable(config, catalogue, environ)
        stores.append(store)
        told.append(store)
        if config.history:
            answering = store
    rates = tuple(config.backlog_rate for config in configs)
    return SiteStores(tuple(stores), rates, answering, tuple(told))


def _influx(config: InfluxStoreConfig, environ: Mapping[str, str]) -> Store:
    # Its library has hundreds of modules: a fifth of all that a start imports, and most sites need none.
    from ingest.stores.influx import InfluxStore, InfluxTarget  # noqa: PLC0415

    target = InfluxTarget(
        url=config.url,
        org=config.org,
        bucket=config.bucket,
        token=_secret(config.secret, environ) or "",
        tls_ca=config.tls_ca,
    )
    return InfluxStore(target, name=config.name)


def _readable(
    config: InfluxV1StoreConfig | VictoriaStoreConfig, catalogue: Catalogue, environ: Mapping[str, str]
) -> LineStore:
    target = HttpTarget(
        url=config.url,
        username=config.username,
        password=_secret(config.secret, environ) or "",
        tls_ca=config.tls_ca,
    )
    if isinstance(config, InfluxV1StoreConfig):
        place = InfluxDatabase(database=config.database, retention_policy=config.retention_policy)
        return LineStore(InfluxV1Server(target, place), catalogue, config.name)
    return LineStore(VictoriaServer(target), catalogue, config.name)


def deliver_to(
    stores: Sequence[Store],
    backlog_rates: Iterable[float],
    *,
    spool: Spool,
    clock: Clock,
    settings: Settings,
) -> tuple[Delivery, ...]:
    """A delivery to each store; ``backlog_rates`` are of all but the first, the platform's own."""
    letters = DeadLetters(settings.data / "dead-letters", clock)
    speed = settings.speed
    pace = Pace(seconds=speed, live=2.0 * speed)
    unhurried = replace(pace, few=FEW_READINGS, few_seconds=2.0 * speed, live=4.0 * speed)
    paces = (unhurried, *(replace(pace, backlog=rate) for rate in backlog_rates))
    return tuple(
        Delivery(spool=spool, store=store, dead_letters=letters, clock=clock, pace=each)
        for store, each in zip(stores, paces, strict=True)
    )


def build_notifiers(
    loaded: LoadedSite,
    *,
    session: aiohttp.ClientSession,
    active: Callable[[], Sequence[Alarm]],
    site: Callable[[], Site],
    environ: Mapping[str, str],
) -> list[Notifier]:
    """The notifiers a site names; ``active`` says which alarms are, ``site`` what the site is by now."""
    known = _Known(loaded.site.name, active, lambda space: _levels(site(), space))
    return [_notifier(each, known, session, environ) for each in loaded.notifiers]


@dataclass(frozen=True, slots=True)
class _Known:
    """What every notifier may ask."""

    name: str
    """Of the site, as it was at the start."""
    active: Callable[[], Sequence[Alarm]]
    levels: Callable[[str], Mapping[str, str]]


def _levels(site: Site, space: str) -> Mapping[str, str]:
    """By level, the ids of a space below the campus and of those it is in; empty if it is there no more."""
    if space not in site.space_index:
        return {}
    return {str(each.level): each.id for each in site.ancestors(space) if each.parent is not None}


def _notifier(
    config: NotifierConfig, known: _Known, session: aiohttp.ClientSession, environ: Mapping[str, str]
) -> Notifier:
    channel: Channel
    if isinstance(config, AlertmanagerConfig):
        channel = Alertmanager(
            session,
            AlertmanagerOptions(url=config.url, site=known.name, runbook=config.runbook, spaces=known.levels),
        )
        options = NotifierOptions(name=config.name, refresh=REFRESH)
    else:
        secret = _secret(config.secret, environ)
        channel = Webhook(
            session,
            WebhookOptions(url=config.url, site=known.name, runbook=config.runbook, secret=secret),
        )
        options = NotifierOptions(name=config.name)
    return Notifier(channel, known.active, options, Random())  # noqa: S311 - spreads retries


def _secret(ref: SecretRef | None, environ: Mapping[str, str]) -> str | None:
    if ref is None:
        return None
    try:
        return ref.resolve(environ)
    except SecretError:
        return None
