"""A catalogue as bytes, so that a batch can be read long after the site has changed."""

import hashlib
import zlib

import orjson

from facility.catalogue import Catalogue, Field, Group
from facility.point_types import Behaviour
from ingest.errors import BatchCorruptError


def encode_catalogue(catalogue: Catalogue) -> bytes:
    """Compressed JSON; equal catalogues give equal bytes. Field lists that groups share are written once."""
    sets: dict[tuple[Field, ...], int] = {}
    known: dict[int, int] = {}
    groups = []
    for group in catalogue.groups:
        # Comparing long lists takes time, and devices of one profile have the very same one.
        which = known.get(id(group.fields))
        if which is None:
            which = known[id(group.fields)] = sets.setdefault(group.fields, len(sets))
        groups.append([group.id, group.measurement, group.tags, which])
    fields = [[[each.name, each.unit, each.behaviour] for each in one] for one in sets]
    content = {"devices": catalogue.device_count, "fields": fields, "groups": groups}
    return zlib.compress(orjson.dumps(content), 1)


def decode_catalogue(data: bytes) -> Catalogue:
    """The catalogue in these bytes.

    Raises:
        BatchCorruptError: they are not what ``encode_catalogue`` wrote.
    """
    try:
        content = orjson.loads(zlib.decompress(data))
        sets = [
            tuple(Field(name, unit, Behaviour(behaviour)) for name, unit, behaviour in one)
            for one in content["fields"]
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
