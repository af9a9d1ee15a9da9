import json
import re
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient

from console.app import build_app
from console.showing import Showing
from console.site import SiteRefusedError
from console.site_models import SiteMistake
from tests.console.campus import START
from tests.console.plant import Plant, alarm
from tests.console.test_nodes import get
from tests.console.test_stream import listen, next_event

EXAMPLES = {
    "/api/v1/live": [""],
    "/api/v1/nodes": [""],
    "/api/v1/nodes/{id}": ["campus", "b1-h1-r1-k01", "ups-a", "b1-h1-r1-k01-pdu-a"],
    "/api/v1/points": ["?limit=1000"],
    "/api/v1/points/{series}": ["campus.power", "ups-a.active_power"],
    "/api/v1/history": ["?series=campus.power", "?series=campus.power&step=raw"],
    "/api/v1/kpis": [""],
    "/api/v1/alarms": ["", "?state=recent"],
    "/api/v1/collection": ["", "?state=online"],
    "/api/v1/collection/endpoints/{id}": ["gw-1", "broker"],
    "/api/v1/collection/lessons": ["", "?device=b1-h1-r1-cdu"],
    "/api/v1/site": [""],
    "/api/v1/process": [""],
    "/api/v1/openapi.json": [""],
    "/healthz": [""],
    "/readyz": [""],
}
"""How to ask each path that answers JSON: what replaces its parameter, or follows it."""


def violations(value: object, schema: dict, components: dict, at: str = "$") -> list[str]:
    """Where a value breaks a schema, for the part of JSON Schema that is used here."""
    if "$ref" in schema:
        return violations(value, components[schema["$ref"].rpartition("/")[2]], components, at)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            tried = [violations(value, each, components, at) for each in schema[key]]
            return [] if any(not found for found in tried) else min(tried, key=len)
    kind = schema.get("type")
    if kind == "object":
        return _object_violations(value, schema, components, at)
    return _list_or_scalar_violations(value, schema, components, at)


def _list_or_scalar_violations(value: object, schema: dict, components: dict, at: str) -> list[str]:
    kind = schema.get("type")
    if kind == "array":
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [
            v
            for n, each in enumerate(value)
            for v in violations(each, schema["items"], components, f"{at}[{n}]")
        ]
    expected = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    fits = isinstance(value, expected[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits or ("enum" in schema and value not in schema["enum"]):
        return [f"{at}: {value!r} is not {schema}"]
    return []


def _object_violations(value: object, schema: dict, components: dict, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: not an object"]
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, each in value.items():
        inner = properties.get(name, extra)
        if inner is False:
            found.append(f"{at}: {name} is not described")
        elif isinstance(inner, dict):
            found += violations(each, inner, components, f"{at}.{name}")
    return found


async def test_every_path_answers_what_its_description_says(plant: Plant) -> None:
    plant.board.raise_alarm(alarm("b1-h1-r1-k02-climate", "b1-h1-r1-k02"))
    plant.board.raise_alarm(alarm("ups-a", "b1", id="over", value=None, limit=None))
    plant.board.clear("over", START)
    async with plant.client() as client:
        described = await get(client, "/api/v1/openapi.json")
        components = described["components"]["schemas"]
        for path, examples in EXAMPLES.items():
            answer = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            for example in examples:
                url = re.sub(r"{\w+}", example, path) if "{" in path else path + example
                body = await get(client, url)
                assert violations(body, answer["schema"], components) == [], url
        async with client.get("/api/v1/stream") as response:
            stream = listen(response)
            assert violations((await next_event(stream))[1], components["LiveTick"], {**components}) == []
            plant.read_all()
            plant.tick()
            assert violations((await next_event(stream))[1], components["LiveTick"], {**components}) == []
        forgotten = described["paths"]["/api/v1/collection/lessons/forget"]["post"]
        schema = forgotten["responses"]["200"]["content"]["application/json"]["schema"]
        async with client.post("/api/v1/collection/lessons/forget", json={"device": "all"}) as response:
            assert violations(await response.json(), schema, components) == []
        copied = described["paths"]["/api/v1/history/snapshot"]["post"]
        schema = copied["responses"]["200"]["content"]["application/json"]["schema"]
        async with client.post("/api/v1/history/snapshot", json={}) as response:
            assert violations(await response.json(), schema, components) == []
        reload = described["paths"]["/api/v1/site/reload"]["post"]["responses"]
        schema = reload["200"]["content"]["application/json"]["schema"]
        async with client.post("/api/v1/site/reload", json={}) as response:
            assert violations(await response.json(), schema, components) == []
        schema = reload["422"]["content"]["application/json"]["schema"]
        mistake = SiteMistake(file="devices.csv", line=7, message="no such space")
        plant.keeper.refusal = SiteRefusedError("bad_site", "1 mistake", "mend it", [mistake])
        async with client.post("/api/v1/site/reload", json={}) as response:
            assert response.status == 422
            refused = await response.json()
        assert violations(refused, schema, components) == []
        assert refused["mistakes"] == [{"file": "devices.csv", "line": 7, "message": "no such space"}]
        error = await get(client, "/api/v1/nodes/nowhere", 404)
        assert violations(error, components["ErrorAnswer"], components) == []


async def test_what_is_served_and_what_is_described_are_the_same(plant: Plant) -> None:
    app = build_app(Showing(plant.view()))
    served = {
        resource.canonical
        for resource in app.router.resources()
        if isinstance(resource, web.PlainResource | web.DynamicResource)
    }
    async with plant.client() as client:
        described = await get(client, "/api/v1/openapi.json")
    assert served - {"/", "/runbook", "/static/{name}"} == set(described["paths"])
    scraped = {"/metrics", "/metrics/points"}
    others = {"/api/v1/stream", "/api/v1/collection/lessons/forget", "/api/v1/history/snapshot"}
    others.add("/api/v1/site/reload")
    assert set(EXAMPLES) | scraped | others == set(described["paths"])


async def test_every_parameter_and_every_property_is_described_soundly(client: TestClient) -> None:
    described = await get(client, "/api/v1/openapi.json")
    text = json.dumps(described)
    references = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert references <= set(described["components"]["schemas"])
    assert described["openapi"] == "3.1.0"
    for path, item in described["paths"].items():
        (operation,) = item.values()
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(p["description"] for p in operation["parameters"])
    window = next(p for p in described["paths"]["/api/v1/kpis"]["get"]["parameters"] if p["name"] == "window")
    assert window["schema"]["enum"] == ["15min", "1h", "24h", "month", "year"]


def test_the_checker_of_these_tests_finds_what_is_wrong() -> None:
    components = {
        "A": {
            "type": "object",
            "properties": {"x": {"type": "number"}},
            "required": ["x"],
            "additionalProperties": False,
        }
    }
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/A"}}
    assert violations([{"x": 1.5}], schema, components) == []
    assert violations([{"x": "1"}], schema, components)
    assert violations([{}], schema, components)
    assert violations([{"x": 1, "y": 2}], schema, components)
    assert violations(None, {"anyOf": [{"type": "null"}, {"type": "string"}]}, {}) == []
    assert violations("b", {"type": "string", "enum": ["a"]}, {})


async def test_the_guide_names_every_path(client: TestClient) -> None:
    described = await get(client, "/api/v1/openapi.json")
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    in_guide = {found.partition("?")[0] for found in re.findall(r"^\| `(/\S+?)` \|", guide, re.MULTILINE)}
    assert in_guide == set(described["paths"])
