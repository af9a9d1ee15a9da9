"""Dashboards, their folder and their data sources, put into a Grafana through its HTTP API."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaTimeoutError
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.assembly import render
from grafana.datasources import Connection
from grafana.errors import PublishError, RefusedError, UnreachableError

Credential = str | tuple[str, str] | None
"""A service account token, or user and password, or nothing for a Grafana that asks for none."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was put into Grafana."""

    folder: str
    """Uid of the folder."""
    created: tuple[str, ...]
    """Data sources that were not there before."""
    kept: tuple[str, ...]
    """Data sources that were there and were left as they are."""
    updated: tuple[str, ...]
    dashboards: tuple[str, ...]
    """Paths of the dashboards."""


class Publisher:
    """One Grafana that is published to. Publishing again changes nothing but what is different."""

    def __init__(self, url: str, credential: Credential, *, timeout: float = 10.0) -> None:
        """Prepare; nothing is connected yet. ``url`` may have a path, as behind a proxy.

        Raises:
            PublishError: ``url`` is no address of a web server.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PublishError(f"{url!r} is no address of a Grafana; write it as http://HOST:PORT")
        if parts.username is not None:
            raise PublishError("the address of Grafana holds a user; give user and password apart from it")
        self.url = url.rstrip("/")
        self._api = GrafanaApi.from_url(f"{self.url}/", credential=credential, timeout=timeout)

    def folder(self, title: str, uid: str = "dcops") -> str:
        """Uid of the folder with that title; it is made if there is none.

        Raises:
            PublishError: Grafana does not take it.
        """
        with self._mapped("list folders"):
            folders = self._api.folder.get_all_folders()
        for each in folders:
            if each["title"] == title:
                return str(each["uid"])
        taken = {each["uid"] for each in folders}
        with self._mapped(f"create folder {title!r}"):
            made = self._api.folder.create_folder(title, uid=None if uid in taken else uid)
        return str(made["uid"])

    def data_source(self, connection: Connection, *, overwrite: bool) -> str:
        """Make a data source; ``created``, ``updated``, or ``kept`` if it is there and not to be overwritten.

        Raises:
            PublishError: Grafana does not take it.
        """
        uid, definition = connection.source.uid, connection.definition()
        with self._mapped(f"look up data source {uid}"):
            found = _unless_missing(lambda: self._api.datasource.get_datasource_by_uid(uid))
        if found is None:
            with self._mapped(f"create data source {uid}"):
                self._api.datasource.create_datasource(definition)
            return "created"
        if not overwrite:
            return "kept"
        with self._mapped(f"update data source {uid}"):
            self._api.datasource.update_datasource_by_uid(uid, definition)
        return "updated"

    def dashboard(self, dashboard: Dashboard, folder: str) -> str:
        """Put a dashboard into a folder, over the one of the same uid; returns its path.

        Raises:
            PublishError: Grafana does not take it.
        """
        body = {
            "dashboard": json.loads(render(dashboard)),
            "folderUid": folder,
            "overwrite": True,
            "message": "dcops dashboards publish",
        }
        with self._mapped(f"publish dashboard {dashboard.uid}"):
            answer = self._api.dashboard.update_dashboard(body)
        return str(answer["url"])

    @contextmanager
    def _mapped(self, operation: str) -> Iterator[None]:
        try:
            yield
        except GrafanaTimeoutError as error:
            raise UnreachableError(f"{operation}: no answer from {self.url} in time") from error
        except GrafanaException as error:
            raise _refusal(operation, error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise PublishError(
                f"{operation}: what answers at {self.url} is not Grafana ({type(error).__name__})"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"{operation}: {self.url} cannot be reached; is Grafana running there?"
            ) from error


def publish(
    publisher: Publisher,
    dashboards: Sequence[Dashboard],
    *,
    folder: str,
    connections: Sequence[Connection] = (),
    defaults: Sequence[Connection] = (),
) -> Published:
    """Put everything into Grafana.

    Args:
        publisher: the Grafana.
        dashboards: what to publish.
        folder: title of the folder that they go to.
        connections: data sources to be made, or changed to be so.
        defaults: data sources to be made only where there is none of that uid.

    Raises:
        PublishError: Grafana does not take something; what came before stays.
    """
    uid = publisher.folder(folder)
    outcomes: dict[str, list[str]] = {"created": [], "kept": [], "updated": []}
    for wanted, overwrite in ((connections, True), (defaults, False)):
        for connection in wanted:
            outcome = publisher.data_source(connection, overwrite=overwrite)
            outcomes[outcome].append(connection.source.name)
    paths = tuple(publisher.dashboard(dashboard, uid) for dashboard in dashboards)
    return Published(
        folder=uid,
        created=tuple(outcomes["created"]),
        kept=tuple(outcomes["kept"]),
        updated=tuple(outcomes["updated"]),
        dashboards=paths,
    )


def _unless_missing(ask: Callable[[], Json]) -> Json | None:
    try:
        return ask()
    except GrafanaClientError as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return None
        raise


def _refusal(operation: str, error: GrafanaException) -> PublishError:
    match error.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return RefusedError(
                f"{operation}: Grafana does not know the credential (401); check the token or the password"
            )
        case HTTPStatus.FORBIDDEN:
            return RefusedError(
                f"{operation}: the credential may not do this (403); it needs the role Admin, and what is "
                "provisioned by files cannot be changed"
            )
        case _:
            return PublishError(f"{operation}: Grafana answered {error.status_code}: {error.message}")
