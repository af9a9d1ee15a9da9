"""A small HTTP server that keeps folders, data sources and dashboards as Grafana's API does.

Grafana itself is not in Debian. Paths, bodies and codes are those of its HTTP API (10 and later).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "glsa_right"
BASIC = "Basic YWRtaW46cmlnaHQ="  # admin:right


class FakeGrafana(ThreadingHTTPServer):
    """What was put into it is in its attributes."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prefix = prefix
        self.folders: list[dict[str, str]] = []
        self.data_sources: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.role = "Admin"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{self.prefix}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeGrafana

    def do_GET(self) -> None:
        match self._route():
            case ["folders"]:
                self._answer(200, self.server.folders)
            case ["datasources", "uid", uid]:
                found = self.server.data_sources.get(uid)
                self._answer(200 if found else 404, found or {"message": "Data source not found"})

    def do_POST(self) -> None:
        match self._route(write=True):
            case ["folders"]:
                folder = {"uid": "made-up", **self._body()}
                self.server.folders.append(folder)
                self._answer(200, folder)
            case ["datasources"]:
                self._keep_data_source(self._body())
            case ["dashboards", "db"]:
                self._keep_dashboard(self._body())

    def do_PUT(self) -> None:
        match self._route(write=True):
            case ["datasources", "uid", _]:
                self._keep_data_source(self._body())

    def _keep_data_source(self, source: dict[str, Any]) -> None:
        self.server.data_sources[source["uid"]] = source
        self._answer(200, {"datasource": source})

    def _keep_dashboard(self, body: dict[str, Any]) -> None:
        uid = body["dashboard"]["uid"]
        if uid in self.server.dashboards and not body["overwrite"]:
            self._answer(412, {"message": "A dashboard with the same uid already exists"})
            return
        self.server.dashboards[uid] = body
        self._answer(200, {"uid": uid, "url": f"/d/{uid}/x", "status": "success"})

    def _route(self, *, write: bool = False) -> list[str]:
        """The parts of the path below /api; empty if the request was refused."""
        if self.headers["Authorization"] not in (f"Bearer {TOKEN}", BASIC):
            self._answer(401, {"message": "Invalid API key"})
            return []
        if write and self.server.role != "Admin":
            self._answer(403, {"message": "Permission denied"})
            return []
        if write:
            self.server.writes.append(f"{self.command} {self.path}")
        return self.path.removeprefix(f"{self.server.prefix}/api/").split("?")[0].split("/")

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_grafana(prefix: str = "") -> Iterator[FakeGrafana]:
    with FakeGrafana(prefix) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
