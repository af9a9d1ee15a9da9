"""What a site file comes to: all that the platform is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alerting.rules import Rule
from collectors.config import CollectionPlan
from dcops.site_file.outputs import JournalConfig, NotifierConfig, StoreConfig, WebhookConfig
from dcops.site_file.problems import Problem
from dcops.site_file.secrets import SecretError, SecretRef
from facility.site import Site
from facility.storing import StoringRule
from ingest.stores.history.levels import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSite:
    """A site without mistakes. Nothing in it holds a secret, only where each one is."""

    path: Path
    """The site file."""
    site: Site
    plan: CollectionPlan
    """Brokers are without passwords; see ``plan_with_passwords``."""
    rules: tuple[Rule, ...]
    """Checked alarm rules, the shipped ones among them unless the site says otherwise."""
    stores: tuple[StoreConfig, ...]
    """Besides the platform's own history."""
    retention: Retention
    """Of the platform's own history."""
    journal: JournalConfig
    storing: tuple[StoringRule, ...]
    """Which points are stored by exception; of several rules that name a point the last one counts."""
    notifiers: tuple[NotifierConfig, ...]
    passwords: Mapping[str, SecretRef]
    """Where the password of each broker is, by endpoint id; brokers without one are left out."""
    files: tuple[Path, ...]
    """Every file that was read, the site file first."""
    warnings: tuple[Problem, ...]
    """What deserves a look but stops nothing."""

    def missing_secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """One line for each secret that cannot be had at present."""
        found = [(what, ref.missing(environ)) for what, ref in self._secrets()]
        return tuple(f"{what}: {reason}" for what, reason in found if reason)

    def _secrets(self) -> Iterator[tuple[str, SecretRef]]:
        for broker, ref in self.passwords.items():
            yield f"endpoint {broker}", ref
        for store in self.stores:
            if store.secret is not None:
                yield f"store {store.name}", store.secret
        for notifier in self.notifiers:
            if isinstance(notifier, WebhookConfig) and notifier.secret is not None:
                yield f"notifier {notifier.name}", notifier.secret

    def plan_with_passwords(self, environ: Mapping[str, str]) -> CollectionPlan:
        """The plan with the passwords of brokers; one that cannot be had is left out."""
        brokers = []
        for broker in self.plan.brokers:
            ref = self.passwords.get(broker.id)
            brokers.append(replace(broker, password=_resolved(ref, environ)) if ref is not None else broker)
        return replace(self.plan, brokers=tuple(brokers))


def _resolved(ref: SecretRef, environ: Mapping[str, str]) -> str | None:
    try:
        return ref.resolve(environ)
    except SecretError:
        return None
