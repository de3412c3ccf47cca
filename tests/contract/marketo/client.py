"""The smallest client of the emulator, with no knowledge of how it is built.

`Running` speaks real HTTP to a server; `InProcess` hands the same requests to the application itself, which is many
times faster and enough wherever connections, concurrency and timing are not what is looked at.
"""

import asyncio
import gzip
import http.client
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tandem_emulators.kit import server
from tandem_emulators.kit.app import EmulatorApp
from tandem_emulators.kit.emulator import Options
from tandem_emulators.marketo.emulator import build
from tests.contract.marketo import swagger

REQUEST_ID = re.compile(r"[0-9a-f]{1,5}#[0-9a-f]{11}")


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
    def result(self) -> list[dict[str, Any]]:
        assert self.body["success"] is True, self.body
        found: list[dict[str, Any]] = self.body["result"]
        return found

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of a refused call."""
        body = self.body
        assert self.status == 200
        assert body["success"] is False
        assert "result" not in body
        [only] = body["errors"]
        return only["code"], only["message"]


def check_answer(answer: Answer) -> None:
    """An envelope, or one of the few things that are none: a file, or a status with a text."""
    if answer.status != 200:
        assert answer.status in (206, 404, 413, 414, 416), answer.status
        return
    if answer.headers["content-type"].startswith("text/csv"):
        return
    body = answer.body
    assert REQUEST_ID.fullmatch(body["requestId"])
    if body["success"]:
        assert isinstance(body.get("result", []), list)
        return
    [error] = body["errors"]
    assert error["code"] not in ("500", "611"), error
    assert error["message"]


def _check_definition(method: str, target: str, body: bytes, answer: Answer) -> None:
    operation = swagger.operation_of(method, target, body)
    if operation is None or answer.status != 200 or operation["response"].startswith("ObservableOf"):
        return
    raw = gzip.decompress(answer.raw) if answer.headers.get("content-encoding") == "gzip" else answer.raw
    found = swagger.complaints(operation["response"], json.loads(raw))
    assert not found, (method, target, found, raw[:2_000])


class Running:
    """An emulator in a thread of its own, and a caller with a token."""

    def __init__(self, **options: Any) -> None:
        options = {"limits": "off", "settings": {"activity_lag_s": "0"}} | options
        emulator = build(Options(**options))
        listener = server.bind(0)
        port = listener.getsockname()[1]
        ready = threading.Event()
        self._server = server.make_server(emulator, control=True, on_ready=ready.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        self.access: dict[str, Any] = json.loads(server.first_line(emulator, port, control=True))
        self._address = urlsplit(self.access["url"]).netloc
        self.token = ""

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """What every call ends in; what comes back must be as Adobe defines it."""
        answer = self._exchange(method, target, body, headers or {})
        _check_definition(method, target, body or b"", answer)
        return answer

    def _exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def sign_in(self) -> Answer:
        query = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": self.access["client_id"],
                "client_secret": self.access["client_secret"],
            }
        )
        answer = self.send("GET", f"/identity/oauth/token?{query}")
        self.token = answer.body["access_token"]
        return answer

    def call(self, method: str, path: str, json_body: object = None, **parameters: object) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"}
        body = None
        if json_body is not None:
            body, headers["Content-Type"] = json.dumps(json_body).encode(), "application/json"
        target = path + ("?" + urlencode(parameters, doseq=True) if parameters else "")
        return self.send(method, target, body, headers)

    def get(self, path: str, **parameters: object) -> Answer:
        return self.call("GET", path, **parameters)

    def post(self, path: str, json_body: object = None, **parameters: object) -> Answer:
        return self.call("POST", path, json_body, **parameters)

    def form(self, path: str, **fields: object) -> Answer:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.send("POST", path, urlencode(fields, doseq=True).encode(), headers)

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        answer = self.send(method, "/_emulator" + path, data)
        assert answer.status == 200, answer.raw
        return answer.body

    def set(self, **settings: object) -> None:
        self.control("POST", "/settings", settings)

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance_s": seconds})

    # What most tests need.

    def sync(self, *records: Mapping[str, object], **body: object) -> list[dict[str, Any]]:
        return self.post("/rest/v1/leads.json", {"input": list(records), **body}).result

    def create(self, **values: object) -> int:
        [result] = self.sync(values)
        assert result["status"] == "created", result
        number: int = result["id"]
        return number

    def lead(self, number: int, *fields: str) -> dict[str, Any]:
        chosen = {"fields": ",".join(fields)} if fields else {}
        [found] = self.get(f"/rest/v1/lead/{number}.json", **chosen).result
        return found

    def start_of_feed(self, since: str = "2020-01-01T00:00:00Z") -> str:
        token: str = self.get("/rest/v1/activities/pagingtoken.json", sinceDatetime=since).body["nextPageToken"]
        return token

    def chain(self, path: str, token: str, **parameters: object) -> tuple[list[dict[str, Any]], str]:
        """Everything to the end of a feed, and the token to go on with."""
        found: list[dict[str, Any]] = []
        while True:
            body = self.get(path, nextPageToken=token, **parameters).body
            found += body["result"]
            token = body["nextPageToken"]
            if not body["moreResult"]:
                return found, token

    def changes(self, token: str, *fields: str) -> tuple[list[dict[str, Any]], str]:
        return self.chain("/rest/v1/activities/leadchanges.json", token, fields=",".join(fields))

    def activities(self, token: str, *types: int) -> tuple[list[dict[str, Any]], str]:
        return self.chain("/rest/v1/activities.json", token, activityTypeIds=",".join(map(str, types)))


class InProcess(Running):
    """The same calls without a socket between."""

    def __init__(self, **options: Any) -> None:
        self.emulator = build(Options(**({"limits": "off", "settings": {"activity_lag_s": "0"}} | options)))
        self._app = EmulatorApp(self.emulator, control=True)
        self._loop = asyncio.new_event_loop()
        self.access = json.loads(server.first_line(self.emulator, 80, control=True))
        self.token = ""

    def close(self) -> None:
        self._loop.close()
        self.emulator.close()

    def _exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        path, _, query = target.partition("?")
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        scope = {
            "type": "http",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": query.encode(),
            "headers": raw,
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def answer(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self._app(scope, receive, answer))
        names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], names, sent[1]["body"])
