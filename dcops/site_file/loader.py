"""Reading a site: every file, every item, every check, and all mistakes at once.

Nothing is connected to. The order is: files to entries, entries to typed items, items against each
other; an item with a mistake stays known, so that what refers to it is not blamed for it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from alerting.rules import Rule
from collectors.profiles import Profile
from collectors.profiles.reader import shipped
from dcops.site_file import documents
from dcops.site_file.alarm_rules import check_rules, read_rules
from dcops.site_file.building import build_plan, build_site, build_stand_in
from dcops.site_file.bus_time import check_bus_time
from dcops.site_file.checked import Addresses, Checked, DeviceChanges, device_changes
from dcops.site_file.devices import check_devices
from dcops.site_file.endpoints import (
    broker_password,
    is_on_modbus,
    read_endpoint,
    shared_addresses,
    warn_endpoints,
)
from dcops.site_file.entries import Entry
from dcops.site_file.feeds import warn_feeds
from dcops.site_file.history import read_retention
from dcops.site_file.items import (
    AlarmsItem,
    CollectionItem,
    DeviceItem,
    JournalItem,
    MqttItem,
    SiteItem,
    SpaceItem,
)
from dcops.site_file.loaded import LoadedSite
from dcops.site_file.metering import warn_unmetered
from dcops.site_file.outputs import read_journal, read_notifiers, read_stores
from dcops.site_file.paths import check_paths
from dcops.site_file.problems import Findings, Place, SiteProblems
from dcops.site_file.profiles import Overlay, ProfileLibrary, read_library
from dcops.site_file.registry import EndpointItem, Known, RegisteredT, Registry
from dcops.site_file.secrets import SecretRef
from dcops.site_file.sections import Sections, read_sections
from dcops.site_file.shapes import Shaped, shape, shape_in_part
from dcops.site_file.spaces import check_spaces
from dcops.site_file.storing import read_storing
from facility.site import Site


class SiteReader:
    """Reads one site again and again; only what is written otherwise than the last time is judged anew.

    Of a site as large as a campus that is a fifth of the work. What comes of it, and every mistake, is what
    ``load`` would find. The site that was read last is kept in memory for it.
    """

    def __init__(self, path: str | Path, *, extra_profiles: Mapping[str, Profile] | None = None) -> None:
        """Nothing is read yet; as ``load`` takes them."""
        self._path = Path(path)
        self._profiles = Overlay(extra_profiles or {}, shipped())
        self._before: Checked | None = None

    def load(self) -> LoadedSite:
        """The site as its files are now; for one thread at a time.

        Raises:
            SiteProblems: it has mistakes; the error holds all of them.
        """
        findings, before = Findings(), self._before
        sections = read_sections(self._path, findings, before.tables if before is not None else None)
        loaded = None
        if sections is not None:
            loading = _Loading(sections, self._profiles, before)
            loaded = loading.run()
        if loaded is None or findings.problems:
            raise SiteProblems(findings.problems)
        self._before = loading.checked(loaded)
        return loaded


def load(path: str | Path, *, extra_profiles: Mapping[str, Profile] | None = None) -> LoadedSite:
    """Read a site: a YAML file, or a folder with ``site.yaml`` and tables beside it.

    Args:
        path: the file or folder.
        extra_profiles: profiles that may be named besides the shipped ones and the site's own.

    Raises:
        SiteProblems: it has mistakes; the error holds all of them.
    """
    return SiteReader(path, extra_profiles=extra_profiles).load()


class _Loading:
    """One run over the sections of one site."""

    def __init__(self, sections: Sections, profiles: Mapping[str, Profile], before: Checked | None) -> None:
        self._sections = sections
        self._before = before
        self._findings = sections.findings
        self._folder = sections.file.parent
        self._collection = sections.mapping("collection", CollectionItem)
        self._alarms = sections.mapping("alarms", AlarmsItem, others=("rules",))
        self._library = self._read_library(profiles)
        self._registry = self._register()
        self._topics: dict[str, str] = {}
        self._busy = frozenset[str]()
        self._addresses: Addresses = {}
        self._changes: DeviceChanges | None = None

    def run(self) -> LoadedSite | None:
        """The site; None, with problems noted, if it has mistakes; its rules are checked either way."""
        top = shape(SiteItem, self._sections.top, "site", self._findings)
        self._check()
        stores = read_stores(self._sections.items("stores")[0], self._folder, self._findings)
        journal = read_journal(self._sections.mapping("journal", JournalItem))
        retention = read_retention(self._sections, self._findings)
        notifiers = read_notifiers(self._sections.items("notify")[0], self._folder, self._findings)
        broken = top is None or bool(self._findings.problems)
        site = self._stand_in() if broken or top is None else self._site(top)
        rules = self._rules(site)
        storing = read_storing(self._sections.items("storing")[0], site, self._findings)
        if broken or site is None:
            return None
        self._addresses = self._shared_addresses()
        warn_endpoints(self._registry, self._folder, self._addresses)
        warn_unmetered(site, self._registry)
        warn_feeds(site, self._registry)
        plan = build_plan(
            site,
            self._registry,
            self._library.profiles,
            self._topics,
            self._folder,
            before=self._before,
            changes=self._changes,
        )
        return LoadedSite(
            path=self._sections.file,
            site=site,
            plan=plan,
            rules=rules,
            stores=stores,
            journal=journal,
            storing=storing,
            retention=retention,
            notifiers=notifiers,
            passwords=self._passwords(),
            files=tuple(self._sections.files),
            warnings=tuple(sorted(self._findings.warnings)),
        )

    def checked(self, loaded: LoadedSite) -> Checked:
        """All of it, for the next time."""
        return Checked(
            tables={name: table for name, table in self._sections.tables.items() if table.text},
            library=self._library,
            registry=self._registry,
            site=loaded.site,
            plan=loaded.plan,
            period=self._collection.period,
            topics=self._topics,
            busy=self._busy,
            addresses=self._addresses,
        )

    def _read_library(self, profiles: Mapping[str, Profile]) -> ProfileLibrary:
        before = self._before.library if self._before is not None else None
        node = self._sections.node("profiles")
        library, files = read_library(node, self._folder, profiles, self._findings, before)
        self._sections.files.extend(files)
        return library

    def _register(self) -> Registry:
        findings = self._findings
        registry = Registry(Place(str(self._sections.file), 1), findings)

        def space(entry: Entry) -> Shaped[SpaceItem]:
            return shape_in_part(SpaceItem, entry, "space", findings)

        def device(entry: Entry) -> Shaped[DeviceItem]:
            return shape_in_part(DeviceItem, entry, "device", findings)

        def endpoint(entry: Entry) -> Shaped[EndpointItem]:
            return read_endpoint(entry, findings)

        before = self._before.registry if self._before is not None else Registry(registry.site, findings)
        self._add(registry, registry.spaces, space, before.spaces)
        self._add(registry, registry.endpoints, endpoint, before.endpoints)
        self._add(registry, registry.devices, device, before.devices)
        return registry

    def _add(
        self,
        registry: Registry,
        known: Known[RegisteredT],
        read: Callable[[Entry], Shaped[RegisteredT]],
        before: Known[RegisteredT],
    ) -> None:
        entries, known.complete = self._sections.items(known.name)
        registry.add_all(known, entries, read, before)

    def _check(self) -> None:
        """Check the items against each other."""
        registry, period = self._registry, self._collection.period
        changes = device_changes(self._before, registry, self._library, period)
        self._changes = changes
        if changes is None:
            check_spaces(registry)
        self._topics = check_devices(registry, self._library, self._before, changes)
        check_paths(registry, changes)
        if registry.devices.wrong:
            changes = self._changes = None
        registry.devices.spoil_wrong()
        self._busy = check_bus_time(registry, self._library.profiles, period, changes)

    def _shared_addresses(self) -> Addresses:
        if self._changes is not None:
            return self._changes.before.addresses
        return shared_addresses(self._registry.endpoints.items.values())

    def _site(self, top: SiteItem) -> Site:
        return build_site(
            top,
            self._registry,
            self._library.profiles,
            self._collection.period,
            before=self._before,
            changes=self._changes,
        )

    def _stand_in(self) -> Site | None:
        if not (self._registry.spaces.complete and self._registry.devices.complete):
            return None
        return build_stand_in(self._registry, self._library.profiles, self._collection.period)

    def _rules(self, site: Site | None) -> tuple[Rule, ...]:
        alarms = self._sections.node("alarms")
        node = alarms.items.get("rules") if isinstance(alarms, documents.Mapping) else None
        raw, files = read_rules(node, self._folder, self._findings)
        self._sections.files.extend(files)
        if site is None:
            return ()
        return check_rules(raw, site, self._findings, defaults=self._alarms.defaults)

    def _passwords(self) -> dict[str, SecretRef]:
        found: dict[str, SecretRef] = {}
        for item in self._registry.endpoints.items.values():
            if is_on_modbus(item) or not isinstance(item, MqttItem):
                continue
            ref = broker_password(item, self._folder)
            if ref is not None:
                found[item.id] = ref
        return found
