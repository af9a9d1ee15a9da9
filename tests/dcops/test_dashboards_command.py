"""``dcops dashboards``, as it is called."""

import argparse
import json
from pathlib import Path

import pytest

from dcops.commands import dashboards
from tests.grafana.fake_grafana import TOKEN, running_grafana
from tests.servers.processes import free_port


def run(*words: str) -> int:
    parser = argparse.ArgumentParser(prog="dcops")
    dashboards.register(parser.add_subparsers(dest="command", required=True))
    args = parser.parse_args(["dashboards", *words])
    return args.run(args)


def test_build_writes_every_dashboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", "--output", str(tmp_path / "out")) == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(written) == 10
    assert json.loads((tmp_path / "out" / "dcops-pue.json").read_text())["uid"] == "dcops-pue"
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "out" / "dcops-campus.json")


def test_build_into_a_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").touch()
    assert run("build", "--output", str(tmp_path / "taken")) == 1
    assert capsys.readouterr().err.startswith(
        f"dcops dashboards build: {tmp_path / 'taken'}: cannot be written"
    )


def test_publish_with_token_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCOPS_GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("DCOPS_INFLUXDB_TOKEN", "s3cret")
    with running_grafana() as grafana:
        assert run("publish", "--url", grafana.url, "--influxdb", "http://influxdb:8086") == 0
        assert len(grafana.dashboards) == 10
        assert grafana.data_sources["dcops-influxdb"]["url"] == "http://influxdb:8086"
    out = capsys.readouterr().out
    assert "data source dcops Prometheus: created" in out
    assert f"{grafana.url}/d/dcops-campus/x" in out
    assert "s3cret" not in out
    assert TOKEN not in out


def test_publish_with_token_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with running_grafana() as grafana:
        assert run("publish", "--url", grafana.url, "--token-file", str(tmp_path / "token")) == 0


def test_publish_as_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCOPS_GRAFANA_PASSWORD", "right")
    with running_grafana() as grafana:
        assert run("publish", "--url", grafana.url, "--user", "admin", "--folder", "Plant") == 0
        assert grafana.folders[0]["title"] == "Plant"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--token-file", "/nowhere/token"], "/nowhere/token: no such file or directory; check the path"),
        (["--user", "admin"], "no password for user admin; set DCOPS_GRAFANA_PASSWORD"),
        ([], "cannot be reached; is Grafana running there?"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DCOPS_GRAFANA_TOKEN", "DCOPS_GRAFANA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    assert run("publish", "--url", f"http://127.0.0.1:{free_port()}", *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dcops dashboards publish: ")
    assert message in line


def test_url_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("publish")
    assert caught.value.code == 2
    assert "--url" in capsys.readouterr().err
