"""The OpenAPI description, derived from the routes and from the types of their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from console.changes import FORGET_PATH, RELOAD_PATH, SNAPSHOT_PATH
from console.collection_models import ForgetRequest, Forgotten
from console.metrics import OVERVIEW_PARAMETERS, OVERVIEW_PATH, POINTS_PARAMETERS, POINTS_PATH
from console.models import Alive, ErrorAnswer, LiveTick, Readiness, Snapshot, SnapshotRequest
from console.parameters import Kind, Parameter
from console.routes import Route
from console.site_models import Reloaded, ReloadRefused, ReloadRequest

Schema = dict[str, object]

_SCALARS: dict[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def describe(routes: Sequence[Route], version: str) -> Schema:
    """The whole document, OpenAPI 3.1."""
    components: dict[str, Schema] = {}
    paths: Schema = {route.path: {"get": _operation(route, components)} for route in routes}
    paths |= _other_paths(components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dcops",
            "version": version,
            "description": "What a data centre's devices measure, live and stored. The plant is only read. "
            "Numbers are in base units; null is unknown, 0 is measured. Times are RFC 3339 in UTC, but "
            "for history and stream (milliseconds since the epoch).",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _operation(route: Route, components: dict[str, Schema]) -> Schema:
    bodies: list[Schema] = [schema_of(answer, components) for answer in route.answers]
    body: Schema = bodies[0] if len(bodies) == 1 else {"oneOf": bodies}
    return {
        "summary": route.summary,
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": {
            "200": _content("the answer", "application/json", body),
            "default": _refusal(components),
        },
    }


def _parameter(parameter: Parameter) -> Schema:
    schema: Schema = {"type": "string"}
    if parameter.kind is Kind.INTEGER:
        schema = {
            "type": "integer",
            "minimum": parameter.low,
            "maximum": parameter.high,
            "default": parameter.default,
        }
    elif parameter.choices and parameter.many:
        schema = {"type": "array", "items": {"type": "string", "enum": list(parameter.choices)}}
    elif parameter.choices:
        schema = {"type": "string", "enum": list(parameter.choices)}
    description: Schema = {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "description": parameter.note,
        "required": parameter.in_path or parameter.required,
        "schema": schema,
    }
    return description | ({"style": "form", "explode": False} if parameter.many else {})


def _content(description: str, media: str, schema: Schema) -> Schema:
    return {"description": description, "content": {media: {"schema": schema}}}


def _refusal(components: dict[str, Schema]) -> Schema:
    return _content("why there is no answer", "application/json", schema_of(ErrorAnswer, components))


def _other_paths(components: dict[str, Schema]) -> dict[str, Schema]:
    """What is served beside the table of routes."""
    readiness = schema_of(Readiness, components)
    stream = _content(
        "Events snapshot (first, every space) and tick (what changed since the event before); the data of "
        "each is a LiveTick. A client that can't keep up skips ticks.",
        "text/event-stream",
        {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": schema_of(LiveTick, components),
        },
    )
    exposition = {"200": _content("text exposition", "text/plain", {"type": "string"})}
    return {
        "/api/v1/stream": _get("Live changes as server-sent events", {"200": stream}, components),
        FORGET_PATH: _post(
            "Forget what was learned about one device, or all; only from this machine",
            ForgetRequest,
            Forgotten,
            components,
        ),
        RELOAD_PATH: _reload(components),
        SNAPSHOT_PATH: _post(
            "Copy the history into a new folder on this machine; taken from this machine only",
            SnapshotRequest,
            Snapshot,
            components,
        ),
        "/api/v1/openapi.json": _get(
            "This description",
            {"200": _content("OpenAPI 3.1", "application/json", {"type": "object"})},
            components,
        ),
        "/healthz": _get(
            "Whether the process is alive",
            {"200": _content("it is", "application/json", schema_of(Alive, components))},
            components,
        ),
        "/readyz": _get(
            "Whether it collects and stores",
            {
                "200": _content("it does", "application/json", readiness),
                "503": _content("it does not, and why", "application/json", readiness),
            },
            components,
        ),
        OVERVIEW_PATH: _get(
            "Spaces, key figures and everything's health, for Prometheus",
            exposition,
            components,
            OVERVIEW_PARAMETERS,
        ),
        POINTS_PATH: _get("Points of devices, for Prometheus", exposition, components, POINTS_PARAMETERS),
    }


def _reload(components: dict[str, Schema]) -> Schema:
    return _post(
        "Read the site's files and take up what has changed, while all else goes on; taken from this machine"
        " only",
        ReloadRequest,
        Reloaded,
        components,
        refused=ReloadRefused,
    )


def _get(
    summary: str,
    responses: Mapping[str, Schema],
    components: dict[str, Schema],
    parameters: Sequence[Parameter] = (),
) -> Schema:
    return {
        "get": {
            "summary": summary,
            "parameters": [_parameter(each) for each in parameters],
            "responses": dict(responses) | {"default": _refusal(components)},
        }
    }


def _post(
    summary: str, body: type, answer: type, components: dict[str, Schema], *, refused: type | None = None
) -> Schema:
    content = {"application/json": {"schema": schema_of(body, components)}}
    answered = _content("it is done", "application/json", schema_of(answer, components))
    responses = {"200": answered, "default": _refusal(components)}
    if refused is not None:
        responses["422"] = _content("why not", "application/json", schema_of(refused, components))
    return {
        "post": {
            "summary": summary,
            "parameters": [],
            "requestBody": {"required": True, "content": content},
            "responses": responses,
        }
    }


def schema_of(kind: object, components: dict[str, Schema]) -> Schema:
    """The schema of a type; dataclasses become components.

    Raises:
        TypeError: the type has no schema.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        return _component(kind, components)
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    return _compound_schema(kind, get_origin(kind), get_args(kind), components)


def _compound_schema(
    kind: object, origin: object, parts: tuple[object, ...], components: dict[str, Schema]
) -> Schema:
    if origin is Annotated:
        return _noted(schema_of(parts[0], components), str(parts[-1]))
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if origin is tuple:
        return {"type": "array", "items": schema_of(parts[0], components)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(parts[1], components)}
    if origin in (Union, UnionType):
        return {"anyOf": [_null() if part is NoneType else schema_of(part, components) for part in parts]}
    raise TypeError(f"{kind!r} has no JSON schema")


def _null() -> Schema:
    return {"type": "null"}


def _noted(schema: Schema, note: str) -> Schema:
    return schema | {"description": note}


def _component(kind: type, components: dict[str, Schema]) -> Schema:
    name = kind.__name__
    if name not in components:
        components[name] = {}
        hints = get_type_hints(kind, include_extras=True)
        properties = {each.name: schema_of(hints[each.name], components) for each in fields(kind)}
        components[name] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": properties,
            "required": [each.name for each in fields(kind) if each.default is MISSING],
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{name}"}
