"""The smallest client of the emulator, with no knowledge of how it is built.

`Running` speaks real HTTP to a server; `InProcess` hands the same requests to the application itself, which is many
times faster and enough wherever connections, concurrency and timing are not what is looked at.
"""

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tandem_emulators.dataverse.emulator import build
from tandem_emulators.kit import server
from tandem_emulators.kit.app import EmulatorApp
from tandem_emulators.kit.emulator import Options
from tandem_emulators.kit.tls import Tls

ROOT = "/api/data/v9.2/"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.raw)
        return decoded

    @property
    def rows(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.raw
        found: list[dict[str, Any]] = self.body["value"]
        return found

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of a refusal."""
        error = self.body["error"]
        return self.status, error["code"], error["message"]

    @property
    def id(self) -> str:
        return self.headers["odata-entityid"].rpartition("(")[2].rstrip(")")


class Running:
    """An emulator in a thread of its own, and a caller with a token. `tls` makes it serve https."""

    def __init__(self, *, tls: Tls | None = None, **options: Any) -> None:
        self.emulator = build(Options(**options))
        listener = server.bind(0)
        port = listener.getsockname()[1]
        ready = threading.Event()
        self._server = server.make_server(self.emulator, control=True, tls=tls, on_ready=ready.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        self.access: dict[str, Any] = json.loads(server.first_line(self.emulator, port, control=True, tls=tls))
        self.url: str = self.access["url"]
        self.token = ""
        self._connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url).netloc
        if self.access["ca_file"] is None:
            return http.client.HTTPConnection(address, timeout=30)
        trust = ssl.create_default_context(cafile=self.access["ca_file"])
        return http.client.HTTPSConnection(address, timeout=30, context=trust)

    def close(self) -> None:
        self._connection.close()
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def send(self, method: str, target: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """`target` is a path or one of the service's own links; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body.encode() if isinstance(body, str) else body
        path = target.removeprefix(self.url)
        self._connection.request(method, path, raw, named)
        response = self._connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())

    # Sign-in.

    def sign_in(self, **changes: str | None) -> Answer:
        """By client credentials at the v2 endpoint; `changes` replace or (None) leave out parameters."""
        access = self.access
        form: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": access["client_id"],
            "client_secret": access["client_secret"],
            "scope": f"{self.url}/.default",
        }
        answer = self.token_call(f"/{access['tenant_id']}/oauth2/v2.0/token", {**form, **changes})
        if answer.status == 200:
            self.token = answer.body["access_token"]
        return answer

    def token_call(self, path: str, form: Mapping[str, str | None]) -> Answer:
        body = urlencode({name: value for name, value in form.items() if value is not None})
        return self.send("POST", path, body, Content_Type="application/x-www-form-urlencoded")

    # The Web API.

    def api(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        """`target` is relative to the service root, or a link of the service. Spaces in it are encoded."""
        path = target if target.startswith(("http", "/")) else ROOT + target
        raw = json.dumps(body) if body is not None and not isinstance(body, str | bytes) else body
        encoded = path.replace(" ", "%20") if path.isascii() else quote(path, safe="/?&=$(),'@:;%*")
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **headers}
        if raw is not None:
            headers.setdefault("Content_Type", "application/json")
        return self.send(method, encoded, raw, **headers)

    def get(self, target: str, **headers: str) -> Answer:
        return self.api("GET", target, **headers)

    def create(self, entity_set: str, **values: Any) -> str:
        answer = self.api("POST", entity_set, values)
        assert answer.status == 204, answer.raw
        return answer.id

    def row(self, entity_set: str, record_id: str) -> dict[str, Any]:
        answer = self.get(f"{entity_set}({record_id})")
        assert answer.status == 200, answer.raw
        return answer.body

    def pages(self, target: str, **headers: str) -> Iterator[dict[str, Any]]:
        link: str | None = target
        while link is not None:
            answer = self.get(link, **headers)
            assert answer.status == 200, answer.raw
            yield answer.body
            link = answer.body.get("@odata.nextLink")

    def batch(self, *lines: str, newline: str = "\r\n", **headers: str) -> Answer:
        return self.api(
            "POST",
            "$batch",
            newline.join(lines) + newline,
            **{"Content_Type": "multipart/mixed; boundary=batch_1", **headers},
        )

    # The control API.

    def control(self, method: str, path: str, body: object = None) -> Answer:
        raw = json.dumps(body) if body is not None else None
        return self.send(method, f"/_emulator{path}", raw)

    def set(self, path: str, **values: Any) -> dict[str, Any]:
        answer = self.control("POST", path, values)
        assert answer.status == 200, answer.raw
        return answer.body


class InProcess(Running):
    """The same calls without a socket between; limits are off unless asked for."""

    def __init__(self, **options: Any) -> None:
        self.emulator = build(Options(**({"limits": "off"} | options)))
        self._app = EmulatorApp(self.emulator, control=True)
        self._loop = asyncio.new_event_loop()
        self.access = json.loads(server.first_line(self.emulator, 80, control=True))
        self.url = "http://127.0.0.1"
        self.token = ""

    def close(self) -> None:
        self._loop.close()
        self.emulator.close()

    def send(self, method: str, target: str, body: bytes | str | None = None, **headers: str) -> Answer:
        path, _, query = target.removeprefix(self.url).partition("?")
        named = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw = body.encode() if isinstance(body, str) else body or b""
        scope = {
            "type": "http",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": named,
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def answer(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self._app(scope, receive, answer))
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, sent[1]["body"])
