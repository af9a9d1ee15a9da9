"""A catalogue outlives its site."""

import pytest

from ingest.catalogues import decode_catalogue, digest, encode_catalogue
from ingest.errors import BatchCorruptError
from tests.ingest.plant import catalogue


def test_what_goes_in_comes_out() -> None:
    before = catalogue()
    after = decode_catalogue(encode_catalogue(before))
    assert after == before
    assert list(after.series())[:3] == ["grid.active_power", "grid.active_energy", "k1-pdu-a.active_power"]
    assert after.index("campus.power") == before.index("campus.power")


def test_equal_catalogues_have_one_name() -> None:
    assert digest(encode_catalogue(catalogue())) == digest(encode_catalogue(catalogue()))


@pytest.mark.parametrize("data", [b"", b"x" * 100, encode_catalogue(catalogue())[:50]])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BatchCorruptError, match="catalogue"):
        decode_catalogue(data)
