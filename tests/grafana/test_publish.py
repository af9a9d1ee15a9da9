"""Publishing to a Grafana. Grafana is not in Debian: a small real HTTP server stands in for its API."""

from collections.abc import Iterator

import pytest

from grafana.dashboards import build_all, campus
from grafana.datasources import INFLUXDB, PROMETHEUS, Connection
from grafana.errors import PublishError, RefusedError, UnreachableError
from grafana.publish import Publisher, publish
from tests.grafana.fake_grafana import TOKEN, FakeGrafana, running_grafana
from tests.servers.processes import free_port

CONNECTIONS = (
    Connection(source=PROMETHEUS, url="http://prometheus:9090"),
    Connection(source=INFLUXDB, url="http://influxdb:8086", database="dcops", token="s3cret"),
)


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with running_grafana() as server:
        yield server


def test_everything_arrives(grafana: FakeGrafana) -> None:
    pages = build_all()
    result = publish(Publisher(grafana.url, TOKEN), pages, folder="Data centre", defaults=CONNECTIONS)

    assert grafana.folders == [{"uid": "dcops", "title": "Data centre"}]
    assert result.created == ("dcops Prometheus", "dcops InfluxDB")
    assert grafana.data_sources["dcops-prometheus"] == {
        "uid": "dcops-prometheus",
        "name": "dcops Prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": "http://prometheus:9090",
        "jsonData": {"httpMethod": "POST", "timeInterval": "10s"},
        "secureJsonData": {},
    }
    influxdb = grafana.data_sources["dcops-influxdb"]
    assert influxdb["jsonData"] == {
        "version": "InfluxQL",
        "dbName": "dcops",
        "httpMode": "GET",
        "httpHeaderName1": "Authorization",
    }
    assert influxdb["secureJsonData"] == {"httpHeaderValue1": "Token s3cret"}
    assert set(grafana.dashboards) == {page.uid for page in pages}
    assert {body["folderUid"] for body in grafana.dashboards.values()} == {"dcops"}
    assert grafana.dashboards["dcops-campus"]["dashboard"]["title"] == "dcops · Campus"
    assert result.dashboards[0] == "/d/dcops-campus/x"


def test_publishing_again_changes_nothing(grafana: FakeGrafana) -> None:
    publisher = Publisher(grafana.url, TOKEN)
    publish(publisher, [campus.build()], folder="dcops", defaults=CONNECTIONS)
    before = (list(grafana.folders), dict(grafana.data_sources), dict(grafana.dashboards))
    grafana.writes.clear()

    result = publish(publisher, [campus.build()], folder="dcops", defaults=CONNECTIONS)

    assert (grafana.folders, grafana.data_sources, grafana.dashboards) == before
    assert result.kept == ("dcops Prometheus", "dcops InfluxDB")
    assert grafana.writes == ["POST /api/dashboards/db"]


def test_a_given_connection_replaces_the_data_source(grafana: FakeGrafana) -> None:
    publisher = Publisher(grafana.url, TOKEN)
    publish(publisher, [], folder="dcops", defaults=CONNECTIONS)
    moved = Connection(source=PROMETHEUS, url="http://elsewhere:9090")
    result = publish(publisher, [], folder="dcops", connections=[moved], defaults=CONNECTIONS[1:])
    assert result.updated == ("dcops Prometheus",)
    assert grafana.data_sources["dcops-prometheus"]["url"] == "http://elsewhere:9090"


def test_another_folder_of_our_uid_is_left_alone(grafana: FakeGrafana) -> None:
    grafana.folders.append({"uid": "dcops", "title": "Someone else's"})
    result = publish(Publisher(grafana.url, TOKEN), [campus.build()], folder="dcops")
    assert result.folder == "made-up"
    assert grafana.dashboards["dcops-campus"]["folderUid"] == "made-up"


def test_user_and_password(grafana: FakeGrafana) -> None:
    assert Publisher(grafana.url, ("admin", "right")).folder("dcops") == "dcops"


@pytest.mark.parametrize("slash", ["", "/"])
def test_grafana_behind_a_path(slash: str) -> None:
    with running_grafana("/grafana") as server:
        publish(Publisher(server.url + slash, TOKEN), [campus.build()], folder="dcops")
        assert set(server.dashboards) == {"dcops-campus"}


def test_wrong_token(grafana: FakeGrafana) -> None:
    with pytest.raises(RefusedError, match=r"list folders: Grafana does not know the credential \(401\)"):
        publish(Publisher(grafana.url, "wrong"), [], folder="dcops")


def test_role_that_may_not_write(grafana: FakeGrafana) -> None:
    grafana.role = "Viewer"
    with pytest.raises(RefusedError, match=r"create folder 'dcops': the credential may not do this \(403\)"):
        publish(Publisher(grafana.url, TOKEN), [], folder="dcops")


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError, match=f"{url} cannot be reached; is Grafana running there"):
        publish(Publisher(url, TOKEN), [], folder="dcops")


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://grafana", "http://"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(PublishError, match="write it as http://HOST:PORT"):
        Publisher(url, TOKEN)


def test_password_in_the_address_is_not_shown() -> None:
    with pytest.raises(PublishError) as caught:
        Publisher("http://admin:hunter2@grafana:3000", None)
    assert "hunter2" not in str(caught.value)


def test_token_of_a_connection_is_not_shown() -> None:
    assert "s3cret" not in repr(CONNECTIONS)
