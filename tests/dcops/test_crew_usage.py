"""What the options of dcops run make of a process, and which do not go together."""

import argparse

import pytest

from dcops.commands import run
from dcops.crew.roles import Role
from dcops.crew.secrets import TokenError
from dcops.crew.usage import RoleError, read_role

TOKEN = "0123456789abcdef"
ENVIRON = {"DCOPS_SHARD_TOKEN": TOKEN}


def arguments(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    return parser.parse_args(["run", "site", *options])


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ([], Role()),
        (["--workers", "3"], Role(workers=3)),
        (["--shards", "2"], Role(shards=2, token=TOKEN)),
        (["--shard", "1/2"], Role(shards=2, own=1, token=TOKEN)),
        (["--shard", "1/2", "--workers", "2"], Role(shards=2, own=1, workers=2, token=TOKEN)),
        (
            ["--shard", "2/2", "--head", "http://h:8080"],
            Role(shards=2, own=2, head="http://h:8080", token=TOKEN),
        ),
    ],
)
def test_options_say_what_a_process_is(options: list[str], role: Role) -> None:
    assert read_role(arguments(*options), ENVIRON) == role


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shard", "3/2"], "write 1/2"),
        (["--shard", "1/2", "--shards", "2"], "leave --shards out"),
        (["--head", "http://h"], "give --shard"),
        (["--shard", "1/2", "--head", "h:8080"], "write http://HOST:PORT"),
        (["--shard", "1/2", "--head", "http://h", "--head-ca", "f"], "https"),
        (["--shards", "2", "--workers", "2"], "leave --workers or --shards out"),
        (["--workers", "2", "--record", "f"], "--record"),
        (["--workers", "65"], "more than 64"),
        (["--shards", "1001"], "more than 1000"),
    ],
)
def test_what_does_not_go_together_is_refused(options: list[str], said: str) -> None:
    with pytest.raises(RoleError, match=said):
        read_role(arguments(*options), ENVIRON)


@pytest.mark.parametrize("environ", [{}, {"DCOPS_SHARD_TOKEN": "short"}, {"DCOPS_SHARD_TOKEN": "é" * 20}])
def test_a_token_that_is_missing_or_can_be_guessed_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(TokenError, match="DCOPS_SHARD_TOKEN"):
        read_role(arguments("--shards", "2"), environ)


def test_the_token_may_be_in_a_file_and_is_never_shown(tmp_path) -> None:
    (tmp_path / "token").write_text("from-a-file-0123456\n")
    role = read_role(arguments("--shards", "2"), {"DCOPS_SHARD_TOKEN_FILE": str(tmp_path / "token")})
    assert role.token == "from-a-file-0123456"
    assert "from-a-file" not in repr(role)
