"""What is said of a connection that cannot be made: the mend, not the number of an error."""

import asyncio
import errno
import socket
import ssl

import pytest

from collectors.reasons import behind, in_words
from tests.servers.processes import free_port


async def test_a_port_where_nobody_listens_is_said_to_be_one() -> None:
    with pytest.raises(OSError, match="Connect call failed") as refused:
        await asyncio.open_connection("127.0.0.1", free_port())
    assert in_words(refused.value) == "connection refused: nothing listens there; check the port"


async def test_a_name_that_cannot_be_looked_up_is_said_to_be_one() -> None:
    assert in_words(socket.gaierror(-2, "Name or service not known")) == (
        "no such name; check its spelling, and that this machine can look it up"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer to the connection in time; check the address and the way to it"),
        (
            OSError(errno.EHOSTUNREACH, "No route to host"),
            "no way there from this machine; check the address, the network and the routes",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/dev/nosuch"),
            "/dev/nosuch: no such file or directory; check the path and its permissions",
        ),
        (
            ConnectionResetError(),
            "it hung up at once; check what is spoken there, and who may connect",
        ),
        (OSError("the other side hung up"), "the other side hung up"),
        (ValueError(), "ValueError"),
    ],
)
def test_each_kind_has_words(error: Exception, words: str) -> None:
    assert in_words(error) == words


def told_by_a_library() -> None:
    try:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    except OSError as error:
        raise RuntimeError(str(error)) from None


def test_what_the_system_said_stands_behind_a_librarys_error() -> None:
    with pytest.raises(RuntimeError) as caught:
        told_by_a_library()
    assert isinstance(behind(caught.value), ConnectionRefusedError)
    plain = RuntimeError("disconnected")
    assert behind(plain) is plain


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (10, "certificate has expired", "it has expired; have it renewed, and check this machine's clock"),
        (18, "self-signed certificate", "tls_ca must name the file of the authority that signed it"),
        (
            64,
            "IP address mismatch, certificate is not valid for '127.0.0.1'.",
            "it is not for this address; write the name that it has as the host, or have it renewed",
        ),
    ],
)
def test_a_certificate_that_is_not_accepted_is_told_with_its_mend(code: int, said: str, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, said)
    error.verify_code, error.verify_message = code, said
    assert in_words(error) == f"its certificate is not accepted: {said.rstrip('.')}: {words}"
