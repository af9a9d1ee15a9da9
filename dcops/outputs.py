"""From what a site file says about stores and notifiers to the things that write and send."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import aiohttp

from alerting.alarms import Alarm
from alerting.alertmanager import REFRESH, Alertmanager, AlertmanagerOptions
from alerting.delivery import Channel, Notifier, NotifierOptions
from alerting.webhook import Webhook, WebhookOptions
from dcops.site_file import AlertmanagerConfig, NotifierConfig, SecretError, SecretRef, StoreConfig
from ingest.stores import Store
from ingest.stores.influx import InfluxStore, InfluxTarget


def build_store(config: StoreConfig, environ: Mapping[str, str]) -> Store:
    """The store a site names. A token that cannot be had is left out: the store then refuses, and says so."""
    target = InfluxTarget(
        url=config.url, org=config.org, bucket=config.bucket, token=_secret(config.token, environ) or ""
    )
    return InfluxStore(target, name=config.name)


def build_notifier(
    config: NotifierConfig,
    *,
    site: str,
    session: aiohttp.ClientSession,
    active: Callable[[], Sequence[Alarm]],
    environ: Mapping[str, str],
) -> Notifier:
    """The notifier a site names."""
    channel: Channel
    if isinstance(config, AlertmanagerConfig):
        channel = Alertmanager(session, AlertmanagerOptions(url=config.url, site=site))
        options = NotifierOptions(name=config.name, refresh=REFRESH)
    else:
        secret = _secret(config.secret, environ)
        channel = Webhook(session, WebhookOptions(url=config.url, site=site, secret=secret))
        options = NotifierOptions(name=config.name)
    return Notifier(channel, active, options, Random())  # noqa: S311 - spreads retries


def _secret(ref: SecretRef | None, environ: Mapping[str, str]) -> str | None:
    if ref is None:
        return None
    try:
        return ref.resolve(environ)
    except SecretError:
        return None
