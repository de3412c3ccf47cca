"""The Marketo emulator: checks a request in the order in which Marketo does, runs it, wraps the answer.

Size, token, path, quota, permission, then the operation, in one transaction. HTTP status is 200 for nearly all of
it; what went wrong is in the envelope (2.1).
"""

import gzip
import random
import sys
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from tandem_emulators.kit import http
from tandem_emulators.kit.emulator import Emulator, Options
from tandem_emulators.kit.errors import ControlError
from tandem_emulators.kit.faults import FaultRule
from tandem_emulators.kit.http import Request
from tandem_emulators.kit.snapshots import Snapshots
from tandem_emulators.marketo import bulk_extract, bulk_import, campaign_calls, envelope, identity, settings, stats
from tandem_emulators.marketo.call import ASSETS, Call, Match, Parameters, Routes, read_parameters, without_dots
from tandem_emulators.marketo.errors import (
    ApiError,
    HttpError,
    RefusalError,
    access_denied,
    resource_not_found,
    timed_out,
)
from tandem_emulators.marketo.flow import Flows
from tandem_emulators.marketo.handlers import HANDLERS
from tandem_emulators.marketo.limits import Limits
from tandem_emulators.marketo.messages import message_of
from tandem_emulators.marketo.office import Office
from tandem_emulators.marketo.seed import seed_people
from tandem_emulators.marketo.settings import Settings
from tandem_emulators.marketo.store import Store
from tandem_emulators.marketo.subscription import Subscription

BULK = "/bulk/"  # never compressed
BODY_BYTES_MAX = 1_000_000
IMPORT_BYTES_MAX = 10_000_000 + 10_000  # the file, and what multipart wraps around it
URI_BYTES_MAX = 8_192
ASSET_URI_BYTES_MAX = 65_536
COMPRESSED_FROM_BYTES = 1_024
_HEADERS = {"server": "nginx", "content-type": "application/json;charset=UTF-8"}


@dataclass(slots=True)
class _Prepared:
    """What a request asks for, or why it is nothing we know; and the user, once the token has told."""

    parameters: Parameters
    match: Match | None
    refusal: ApiError | None
    user: str | None = None


class MarketoEmulator(Emulator):
    service = "marketo"

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._routes = Routes()
        self.settings = Settings(limits=options.limits)
        self.settings.timeouts = {operation.name: operation.timeout_s for operation in self._routes.operations}
        self._munchkin_id, self._service = _credentials(options.seed)
        self._store = Store(options.db)
        self._snapshots = Snapshots()
        self._request_ids = envelope.RequestIds(options.seed)
        self._open()
        self.change_settings(options.settings)
        with self._store.transaction():
            seed_people(self._subscription, options, self.clock.timestamp())

    def _open(self) -> None:
        """Everything that follows from the rows of the database, as after a start."""
        permissions = {name for operation in self._routes.operations for name in operation.permissions}
        self._identity = identity.Identity(self._store, self._service, self.settings, permissions)
        self._limits = Limits(self._store, self.settings)
        self._subscription = Subscription(self._store, self.settings, self.counters, self._service.client_secret)
        self._imports = bulk_import.make_jobs(self._subscription)
        self._exports = bulk_extract.make_jobs(self._subscription)
        self._flows = Flows(self._subscription)
        self._handlers = {
            **HANDLERS,
            **stats.handlers(self._limits),
            **bulk_import.handlers(self._imports),
            **bulk_extract.handlers(self._exports),
            **campaign_calls.handlers(self._flows),
        }
        self._office = Office(self._subscription, self._flows, self.clock)

    def announcement(self, url: str) -> dict[str, object]:
        return {
            "service": self.service,
            "url": url,
            "munchkin_id": self._munchkin_id,
            "client_id": self._identity.service.client_id,
            "client_secret": self._identity.service.client_secret,
        }

    def operation(self, request: Request) -> str:
        if request.path == identity.PATH:
            return "token"
        prepared = self._prepared(request)
        if prepared.refusal is not None:
            return "unsupported" if prepared.refusal.code == "605" else "unknown"
        assert prepared.match is not None
        return prepared.match.operation.name

    def admit(self, request: Request, operation: str) -> http.Reply | None:
        if operation == "token":
            return None
        now_s = self.clock.timestamp()
        try:
            self._check(request, now_s)
        except HttpError as error:
            return _plain(error)
        except RefusalError as refusal:
            return self._refused(request, refusal, now_s)
        return None

    def handle(self, request: Request, operation: str) -> http.Reply:
        now_s = self.clock.timestamp()
        if operation == "token":
            return self._identity.answer(request, now_s)
        request_id = self._request_ids.make(int(now_s * 1000))
        try:
            reply = self._run(self._prepared(request), request, request_id, now_s)
        except ApiError as refusal:
            return self._refused(request, refusal, now_s)
        except HttpError as error:
            self._note(request, now_s)
            return _plain(error)
        except Exception:  # the process boundary: Marketo calls every fault of its own 611
            traceback.print_exc(file=sys.stderr)
            return self._refused(request, ApiError("611", "System error"), now_s)
        self._note(request, now_s)
        if isinstance(reply, envelope.FileReply):
            return http.Reply(reply.status, reply.body, {"server": "nginx", **reply.headers})
        render = envelope.render_asset if request.path.startswith(ASSETS) else envelope.render
        return _reply(render(reply, request_id), request)

    def catch_up(self) -> None:
        super().catch_up()
        now_s = self.clock.timestamp()
        self._imports.catch_up(now_s)
        self._exports.catch_up(now_s)
        if self._flows.is_anything_due(now_s):
            with self._store.transaction():
                self._flows.catch_up(now_s)

    def _run(
        self, prepared: _Prepared, request: Request, request_id: str, now_s: float
    ) -> envelope.Reply | envelope.FileReply:
        match = prepared.match
        assert match is not None, "admit lets no unknown path pass"
        name = match.operation.name
        handler = self._handlers.get(name)
        if handler is None:
            raise resource_not_found()
        if self.latency.of(name) > self.settings.timeouts.get(name, match.operation.timeout_s):
            raise timed_out()
        call = Call(
            operation=match.operation,
            path=match.path,
            parameters=prepared.parameters,
            raw_body=request.body,
            headers=request.headers,
            user=prepared.user or self._identity.service.user,
            request_id=request_id,
            now_s=now_s,
        )
        with self._store.transaction():
            return handler(self._subscription, call)

    def _prepared(self, request: Request) -> _Prepared:
        """What the request is, found out once for all the steps that ask."""
        if request.prepared is None:
            request.prepared = self._prepare(request)
        prepared: _Prepared = request.prepared
        return prepared

    def _prepare(self, request: Request) -> _Prepared:
        request.path = without_dots(request.path)
        parameters = read_parameters(request)
        try:
            match = self._routes.find(parameters.method, request.path)
        except ApiError as unknown:
            return _Prepared(parameters, None, unknown)
        return _Prepared(parameters, match, None if match else ApiError("605", "HTTP Method not supported"))

    def _check(self, request: Request, now_s: float) -> None:
        longest = ASSET_URI_BYTES_MAX if request.path.startswith(ASSETS) else URI_BYTES_MAX
        if len(request.raw_path) + len(request.query_string) + 1 > longest:
            raise HttpError(414, "Request-URI Too Long")
        if len(request.body) > (IMPORT_BYTES_MAX if request.path.startswith(BULK) else BODY_BYTES_MAX):
            raise HttpError(413, "Request Entity Too Large")
        prepared = self._prepared(request)
        prepared.user = self._identity.check(self._token(request), now_s)
        if prepared.refusal is not None:
            raise prepared.refusal
        assert prepared.match is not None
        self._limits.admit(now_s, request.in_flight)
        if not self._identity.may(prepared.user, prepared.match.operation.permissions):
            raise access_denied()

    def _token(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        if self.settings.access_token_in_query:
            return dict(request.query()).get("access_token")
        return None

    def _refused(self, request: Request, refusal: RefusalError, now_s: float) -> http.Reply:
        self._note(request, now_s, refusal.code)
        is_asset = request.path.startswith(ASSETS)
        render = envelope.render_asset_error if is_asset else envelope.render_error
        return _reply(render(refusal, self._request_ids.make(int(now_s * 1000))), request)

    def _note(self, request: Request, now_s: float, code: str | None = None) -> None:
        self._limits.note(now_s, self._prepared(request).user or self._identity.service.user, code)

    def fault_reply(self, rule: FaultRule) -> http.Reply:
        """An injected body may be the whole envelope, or just a code to put into one."""
        if rule.action == "status":
            return super().fault_reply(rule)
        body = rule.body if isinstance(rule.body, dict) else {"code": "611"}
        request_id = self._request_ids.make(int(self.clock.timestamp() * 1000))
        if "code" in body:
            code = str(body["code"])
            message = str(body.get("message") or message_of(code))
            return http.Reply(200, envelope.render_error(ApiError(code, message), request_id), dict(_HEADERS))
        return http.Reply(200, msgspec.json.encode({"requestId": request_id, **body}), dict(_HEADERS))

    def close(self) -> None:
        self._snapshots.close()
        self._store.close()

    def change_settings(self, values: Mapping[str, Any]) -> None:
        super().change_settings(settings.checked(self.settings, values))

    def settings_changed(self, names: set[str]) -> None:
        if "external_person_id" in names:
            self._subscription.fields.describe_external_person_id(self.settings.external_person_id)

    def records(self, entity: str, *, after: str | None, limit: int, deleted: bool) -> Mapping[str, object]:
        return self._office.archive.records(entity, after, limit, deleted=deleted)

    def person_action(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        with self._store.transaction():
            return self._office.act(action, arguments)

    def privileges(self) -> Mapping[str, object]:
        return self._identity.privileges()

    def change_privileges(self, change: Mapping[str, Any]) -> None:
        self._identity.change_privileges(change.get("revoke", []), change.get("grant", []), change.get("user"))

    def control_action(self, path: str, method: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        """`services`: the custom services; POST makes one, of a new API user or a known one. `snapshots`: copies of
        the subscription, and going back to one; switches, clock and counters stay as they are."""
        match method, path.strip("/").split("/"):
            case "POST", ["services"]:
                return asdict(self._new_service(arguments))
            case "GET", ["services"]:
                services = self._identity.services()
                return {"services": [{"client_id": each.client_id, "user": each.user} for each in services]}
            case "GET", ["snapshots"]:
                return {"snapshots": self._snapshots.numbers()}
            case "POST", ["snapshots"]:
                number, taken = self._snapshots.new()
                self._store.copy_to(taken)
                return {"id": number}
            case "POST", ["snapshots", number, "restore"]:
                self._store.load_from(self._snapshots.get(number))
                self._open()
                return {"id": int(number)}
            case "DELETE", ["snapshots", number]:
                self._snapshots.drop(number)
                return {"snapshots": self._snapshots.numbers()}
            case _:
                return super().control_action(path, method, arguments)

    def _new_service(self, arguments: Mapping[str, Any]) -> identity.Service:
        user = arguments.get("user")
        if not isinstance(user, str) or not user:
            raise ControlError('A custom service names its API user: {"user": "name@example.com"}.')
        number = len(self._identity.services())
        service = replace(_credentials(self.options.seed, number)[1], user=user)
        self._identity.add(service)
        self._identity.change_privileges(arguments.get("revoke", []), arguments.get("grant", []), user)
        return service


def build(options: Options) -> MarketoEmulator:
    return MarketoEmulator(options)


def _credentials(seed: int, number: int = 0) -> tuple[str, identity.Service]:
    """The same for the same seed and number of the service, in the forms Marketo gives them."""
    rng = random.Random(f"credentials/{seed}/{number}" if number else f"credentials/{seed}")
    letters = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=3))
    munchkin_id = f"{rng.randrange(100, 1000)}-{letters}-{rng.randrange(100, 1000)}"
    client_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    secret = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=32))
    return munchkin_id, identity.Service(client_id, secret, f"tandem.api@{munchkin_id.lower()}.example")


def _plain(error: HttpError) -> http.Reply:
    return http.Reply(error.status, error.text.encode(), {"server": "nginx", "content-type": "text/plain"})


def _reply(body: bytes, request: Request) -> http.Reply:
    headers = dict(_HEADERS)
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "") and not request.path.startswith(BULK)
    if takes_gzip and len(body) >= COMPRESSED_FROM_BYTES:
        headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        body = gzip.compress(body, compresslevel=1)
    return http.Reply(200, body, headers)
