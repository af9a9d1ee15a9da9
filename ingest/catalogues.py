"""A catalogue as bytes, so that a batch can be read long after the site has changed."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import orjson

from facility.catalogue import Catalogue, Field, Group
from facility.point_types import Behaviour
from ingest.errors import BatchCorruptError

_AT_ONCE = 1000
"""Groups written at once: the interpreter is kept from others for so long, a ms or two."""


@dataclass(frozen=True)
class KeptCatalogue:
    """A catalogue and how it is kept beside the batches that count over it.

    It is encoded by whoever asks for that first: of a campus that is some hundredths of a second's work.
    """

    catalogue: Catalogue

    @cached_property
    def body(self) -> bytes:
        """The catalogue, encoded."""
        return encode_catalogue(self.catalogue)

    @cached_property
    def digest(self) -> str:
        """Its name."""
        return digest(self.body)


def encode_catalogue(catalogue: Catalogue) -> bytes:
    """Compressed JSON; equal catalogues give equal bytes. Field lists that groups share are written once."""
    sets: dict[tuple[Field, ...], int] = {}
    known: dict[int, int] = {}
    groups = [
        _encode_groups(catalogue.groups[at : at + _AT_ONCE], sets, known)
        for at in range(0, len(catalogue.groups), _AT_ONCE)
    ]
    fields = [[[each.name, each.unit, each.behaviour] for each in one] for one in sets]
    holds = [
        [at, place, each.hold] for at, one in enumerate(sets) for place, each in enumerate(one) if each.hold
    ]
    begin = orjson.dumps({"devices": catalogue.device_count, "fields": fields})[:-1]
    # Apart from the fields, so that a dcops that does not know of them reads the rest.
    end = b',"holds":' + orjson.dumps(holds) + b"}" if holds else b"}"
    return zlib.compress(begin + b',"groups":[' + b",".join(groups) + b"]" + end, 1)


def _encode_groups(
    groups: Sequence[Group], sets: dict[tuple[Field, ...], int], known: dict[int, int]
) -> bytes:
    """JSON of some groups, without the brackets of their list; finds out what field lists there are."""
    rows = []
    for group in groups:
        # Comparing long lists takes time, and devices of one profile have the very same one.
        which = known.get(id(group.fields))
        if which is None:
            which = known[id(group.fields)] = sets.setdefault(group.fields, len(sets))
        rows.append([group.id, group.measurement, group.tags, which])
    return orjson.dumps(rows)[1:-1]


def decode_catalogue(data: bytes) -> Catalogue:
    """The catalogue in these bytes.

    Raises:
        BatchCorruptError: they are not what ``encode_catalogue`` wrote.
    """
    try:
        content = orjson.loads(zlib.decompress(data))
        holds = {(at, place): hold for at, place, hold in content.get("holds", ())}
        sets = [
            tuple(
                Field(name, unit, Behaviour(behaviour), holds.get((at, place), 0))
                for place, (name, unit, behaviour) in enumerate(one)
            )
            for at, one in enumerate(content["fields"])
        ]
        groups: list[Group] = []
        first = 0
        for group_id, measurement, tags, which in content["groups"]:
            fields = sets[which]
            groups.append(Group(group_id, measurement, tuple((k, v) for k, v in tags), fields, first))
            first += len(fields)
        return Catalogue(tuple(groups), content["devices"])
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise BatchCorruptError(f"a stored catalogue cannot be read: {error}") from error


def digest(data: bytes) -> str:
    """The name of an encoded catalogue."""
    return hashlib.sha256(data).hexdigest()
