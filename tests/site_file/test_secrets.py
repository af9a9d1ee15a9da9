"""Secrets are looked up late, and never shown."""

from pathlib import Path

import pytest

from dcops.site_file import SecretError, SecretRef, load
from tests.site_file.sites import SITE, write_site


def test_secret_from_the_environment() -> None:
    assert SecretRef(env="TOKEN").resolve({"TOKEN": "hunter2"}) == "hunter2"


@pytest.mark.parametrize("given", ["hunter2\n", "hunter2\r\n", "hunter2\n\n"])
def test_a_secret_from_the_environment_is_without_its_line_end(given: str) -> None:
    assert SecretRef(env="TOKEN").resolve({"TOKEN": given}) == "hunter2"


def test_line_ends_and_spaces_within_a_secret_are_kept_alike(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b" a\r\nb \n")

    assert SecretRef(file=tmp_path / "token").resolve({}) == " a\r\nb "
    assert SecretRef(env="TOKEN").resolve({"TOKEN": " a\r\nb \n"}) == " a\r\nb "


def test_a_variable_with_a_line_end_only_is_named() -> None:
    with pytest.raises(SecretError, match=r"^the environment variable TOKEN holds nothing but a line end;"):
        SecretRef(env="TOKEN").resolve({"TOKEN": "\n"})


@pytest.mark.parametrize("environ", [{}, {"TOKEN": ""}])
def test_missing_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(
        SecretError, match=r"^the environment variable TOKEN is not set; set it to the secret$"
    ):
        SecretRef(env="TOKEN").resolve(environ)


def test_secret_from_a_file_is_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\r\n")

    assert SecretRef(file=tmp_path / "token").resolve({}) == "hunter2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory); create it"),
        (b"", "is empty; write the secret in it"),
        (b"\xff\xfe", "cannot be read (not UTF-8); create it"),
        (b"x" * 70_000, "is too large for a secret; check the path"),
    ],
)
def test_file_without_a_secret_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SecretError) as caught:
        SecretRef(file=path).resolve({})
    assert str(caught.value) == f"the secret file {path} {message}"


def test_passwords_are_put_into_the_plan_on_demand_and_never_shown(tmp_path: Path) -> None:
    loaded = load(write_site(tmp_path))
    plan = loaded.plan_with_passwords({"DCOPS_MQTT_PASSWORD": "hunter2"})

    assert loaded.plan.brokers[0].password is None
    assert plan.brokers[0].password == "hunter2"
    assert "hunter2" not in repr(loaded) + repr(plan)


def test_a_missing_secret_is_no_mistake_but_is_told(tmp_path: Path) -> None:
    site = SITE + "stores:\n  - {kind: influxdb, url: http://db, org: o, bucket: b, token_file: token}\n"
    loaded = load(write_site(tmp_path, site))

    path = tmp_path / "token"
    assert loaded.missing_secrets({}) == (
        "endpoint broker: the environment variable DCOPS_MQTT_PASSWORD is not set; set it to the secret",
        f"store influxdb: the secret file {path} cannot be read (No such file or directory); create it",
    )
    assert loaded.plan_with_passwords({}).brokers[0].password is None
