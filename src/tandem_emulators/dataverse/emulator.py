"""The Dataverse emulator as the kit serves it: sign-in and Web API on one address, one organisation behind."""

import http.client
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.adfs import Adfs
from tandem_emulators.dataverse.api import JSON, ROOT, WebApi
from tandem_emulators.dataverse.batch import Batch
from tandem_emulators.dataverse.client_assertion import ensure_certificate
from tandem_emulators.dataverse.deployment import Deployment
from tandem_emulators.dataverse.entra import Entra
from tandem_emulators.dataverse.environment import Environment
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.limits import Limits
from tandem_emulators.dataverse.membership import CALLER_HEADERS, Membership
from tandem_emulators.dataverse.messages import Messages
from tandem_emulators.dataverse.metadata_api import build_metadata_api
from tandem_emulators.dataverse.options import parse_preferences
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.person import PersonAtWork
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.responses import WebServers, dress, refusal
from tandem_emulators.dataverse.rules import install_rules
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.schema_changes import SchemaChanges
from tandem_emulators.dataverse.schema_files import load_schema
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.seed import Seeder, table_is_empty
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.sign_in_errors import ACCOUNT_STATES
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.webhook_steps import ensure_registry
from tandem_emulators.dataverse.webhooks import Webhooks
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.emulator import Emulator, Options
from tandem_emulators.kit.errors import ConnectionDroppedError, ControlError
from tandem_emulators.kit.faults import FaultRule
from tandem_emulators.kit.http import Reply, Request, json_reply

log = logging.getLogger("tandem_emulators.dataverse")

# The rows made earlier in a change set, by `$` and their Content-ID; None outside a batch.
References = Mapping[str, str] | None


def build(options: Options) -> "DataverseEmulator":
    return DataverseEmulator(options)


@dataclass(slots=True)
class _Visit:
    """Who came, to which web server, and whether the limits let them in. No user: no valid token."""

    user_id: str | None
    server: int
    entered: bool = False


class DataverseEmulator(Emulator):
    service = "dataverse"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "limits": ("published", "off"),
        "account_state": ("enabled", *ACCOUNT_STATES),
        "application_state": ("registered", "secret_expired", "no_consent"),
        "user_state": ("enabled", "disabled", "no_role", "not_member"),
        "adfs": ("2012r2", "2016", "2019"),
        "addresses": ("both", "internet", "inside"),
    }
    least: ClassVar[Mapping[str, float]] = {
        **dict.fromkeys(("servers", "requests_limit", "execution_limit_ms", "concurrency_limit", "limits_window_s"), 1),
        **dict.fromkeys(("token_lifetime_s", "dop_hint"), 1),
        **dict.fromkeys(("duplicate_status", "closed_environment_status", "expired_token_status"), 400),
        **dict.fromkeys(("webhook_timeout_s", "pressing_adds_s", "webhook_delay_s", "sign_ins_per_minute"), 0),
    }

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.settings = Settings(limits=options.limits)
        self.change_settings(options.settings)
        self.organization = Organization(options.seed, self.settings.environment)
        self.schema = load_schema()
        self.store = Store(self.schema, options.db)
        if table_is_empty(self.store, self.schema.tables["organization"]):
            Seeder(self.schema, self.store, self.organization, options.people).seed()
        self.organization.random.seed(f"{options.seed}/ids/{self.store.version}")
        changes = SchemaChanges(self.schema, self.store, self.clock)
        self.security = Security(self.schema)
        self.membership = Membership(self.store, self.security, self.settings)
        self.limits = Limits(self.clock, self.settings)
        self.servers = WebServers(self.organization.organization_id)
        self.certificate = ensure_certificate(options.app_certificate) if options.app_certificate else None
        self.deployment = Deployment(self.organization, self.settings)
        self.sign_in = self._sign_in()
        reader = Reader(self.schema, self.store, self.clock, self.security, self.settings)
        writer = Writer(self.schema, self.store, self.clock, self.security, self.settings, self.organization)
        install_rules(writer)
        self.webhooks = Webhooks(self.store, self.organization, self.clock, self.settings)
        writer.events.listeners.append(self.webhooks.heard)
        self.environment = Environment(self.organization, changes, self.settings, self.sign_in.tokens, self.webhooks)
        self.definitions = build_metadata_api(changes, self.security, self.settings, self.clock)
        self.api = WebApi(
            self.schema, self.organization, self.deployment, reader, writer, self.counters, self.definitions
        )
        self.person = PersonAtWork(writer, Messages(reader, writer))

    def _sign_in(self) -> Entra | Adfs:
        if self.deployment.is_on_premises:
            return Adfs(self.organization, self.clock, self.settings)
        return Entra(self.organization, self.clock, self.settings, self.certificate)

    def announcement(self, url: str) -> dict[str, object]:
        organization = self.organization
        organization.host = urlsplit(url).netloc
        return {
            "service": self.service,
            "url": url,
            "authority": self.sign_in.authority(url),
            "tenant_id": None if self.deployment.is_on_premises else organization.tenant_id,
            "client_id": organization.client_id,
            "client_secret": organization.client_secret,
            "username": organization.username,
            "password": organization.password,
            **({"client_certificate_file": self.certificate.file} if self.certificate else {}),
        }

    def close(self) -> None:
        self.environment.close()
        self.store.close()

    # Requests.

    def operation(self, request: Request) -> str:
        return self.sign_in.operation(request.path) or self.api.operation(request)

    def admit(self, request: Request, operation: str) -> Reply | None:
        if operation in ("token", "identity"):
            return None
        visit = request.prepared = self._visit(request)
        if visit.user_id is None or self.deployment.is_on_premises or not request.path.startswith("/api/"):
            return None
        refused = self.limits.enter(visit.user_id, visit.server)
        if refused is None:
            visit.entered = True
            return None
        return self._dressed(refusal(refused, request.headers), request, visit)

    def _visit(self, request: Request) -> "_Visit":
        grant = self.sign_in.tokens.grant_of(request.headers.get("authorization", ""))
        return _Visit(grant.user_id if grant else None, self.servers.choose(request, self.settings.servers))

    def handle(self, request: Request, operation: str) -> Reply:
        if operation in ("token", "identity"):
            return self.sign_in.handle(request)
        if not self.deployment.is_api(request.path):
            return json_reply(
                {"Message": f"No HTTP resource was found that matches the request URI '{request.path}'."}, 404
            )
        if not self.deployment.serves(request.path + "/"):
            return json_reply({"Message": "The API version of the request URI is not supported."}, 404)
        if not request.path.endswith("/") and ROOT.fullmatch(request.path + "/"):
            request.path += "/"
        if self.deployment.is_on_premises and not self.settings.oauth_enabled:
            page = f"{self.sign_in.authority(request.base_url)}/ls/?wa=wsignin1.0&wtrealm={request.base_url}/"
            return Reply(302, headers={"location": page})
        visit: _Visit = request.prepared or self._visit(request)
        if visit.user_id is None:
            reply = self._challenge(request)
        else:
            reply = self._as_member(request, visit.user_id, operation)
        return self._dressed(reply, request, visit)

    def finished(self, request: Request, operation: str, seconds: float) -> None:
        visit: _Visit | None = request.prepared
        if visit is not None and visit.entered and visit.user_id is not None:
            self.limits.leave(visit.user_id, visit.server, seconds)

    def settle(self) -> None:
        self.webhooks.settle()

    def _challenge(self, request: Request) -> Reply:
        challenge = self.sign_in.challenge(request.base_url)
        return Reply(401, self.settings.challenge_body.encode(), {"www-authenticate": challenge})

    def _as_member(self, request: Request, user_id: str, operation: str) -> Reply:
        try:
            caller = self.membership.caller(user_id, request)
            if len(request.body) > self.settings.payload_bytes_max:
                raise errors.request_too_large()
        except ODataError as error:
            return refusal(error, request.headers)
        if operation == "batch":
            return self._batch(request, caller)
        return self._answer(request, caller, None, operation)

    def _answer(self, request: Request, caller: Caller, references: References, operation: str) -> Reply:
        """One request, or one part of a batch: for that `references` is not None."""
        if operation.startswith("sdkmessage"):
            ensure_registry(self.store, self.organization)
        written = self.counters.records_written
        try:
            return self.api.dispatch(request, caller, references or {}, in_batch=references is not None)
        except ODataError as error:
            return refusal(error, request.headers)
        except Exception:
            log.exception("a request could not be answered: %s", operation)
            return refusal(ODataError(500, "0x80040216", "An unexpected error occurred."), request.headers)
        finally:
            items = self.counters.records_written - written if operation.endswith("_multiple") else 1
            self.limits.entitle(caller.impersonated_by or caller.user_id, max(1, items))

    def _caller_of_part(self, part: Request, batch: Request, caller: Caller) -> Caller:
        """As the caller of the batch, unless the part says otherwise: whom it acts for, what it leaves out."""
        if "tag=" not in part.query_string and not any(name in part.headers for name in CALLER_HEADERS):
            return caller
        of_batch = {name: batch.headers[name] for name in CALLER_HEADERS if name in batch.headers}
        part.headers = {**of_batch, **part.headers}
        return self.membership.caller(caller.impersonated_by or caller.user_id, part)

    def _batch(self, request: Request, caller: Caller) -> Reply:
        """The connection is cut at the end when a part of it was told to lose its answer after being applied."""
        lost = []

        def serve(part: Request, references: Mapping[str, str]) -> Reply:
            operation = self.api.operation(part)
            self.counters.inner(operation)
            rule = self.faults.take(operation)
            if rule is not None and rule.action in ("status", "body"):
                return self.fault_reply(rule)
            if rule is not None and rule.action in ("drop_before", "reset"):
                raise ConnectionDroppedError("reset" if rule.action == "reset" else "")
            if rule is not None and rule.action == "drop_after":
                lost.append(rule)
            if not self.deployment.serves(part.path + "/"):
                return fail(errors.segment_not_found(part.path.strip("/").partition("/")[0]))
            try:
                caller_of_part = self._caller_of_part(part, request, caller)
            except ODataError as error:
                return refusal(error, part.headers)
            return self._answer(part, caller_of_part, references, operation)

        def fail(error: ODataError) -> Reply:
            return refusal(error, request.headers)

        if request.method != "POST":
            return fail(errors.method_not_allowed(request.method))
        preferences = parse_preferences(request.headers.get("prefer"))
        try:
            reply = Batch(serve, fail, self.store.transaction).run(
                request, continue_on_error=preferences.continue_on_error
            )
        except ODataError as error:
            return fail(error)
        if lost:
            raise ConnectionDroppedError
        return reply

    def _dressed(self, reply: Reply, request: Request, visit: "_Visit") -> Reply:
        if visit.user_id is not None and not self.deployment.is_on_premises:
            reply.headers |= self.limits.headers(visit.user_id, visit.server)
            reply.headers["x-ms-dop-hint"] = str(self.settings.dop_hint)
        secure = request.base_url.startswith("https:")
        return dress(reply, secure=secure, server_cookie=self.servers.cookie_of(visit.server))

    def fault_reply(self, rule: FaultRule) -> Reply:
        """An injected status carries the envelope of the Web API unless the rule brings a body of its own."""
        if rule.body is not None:
            return super().fault_reply(rule)
        if rule.operation in ("token", "identity"):
            phrase = http.client.responses.get(rule.status, "").encode()
            return Reply(rule.status, phrase, {"content-type": "text/plain", **rule.headers})
        body = {"error": {"code": "0x80040216", "message": "An unexpected error occurred."}}
        return Reply(rule.status, msgspec.json.encode(body), {**JSON, **rule.headers})

    # The control API.

    def records(self, entity: str, *, after: str | None, limit: int, deleted: bool) -> Mapping[str, object]:
        table = self._table(entity)
        read = self.store.deleted_ids if deleted else self.store.raw_rows
        rows = read(table, after or "", limit)
        return {"records": rows, "next": rows[-1][table.key] if len(rows) == limit else None}

    def _table(self, entity: str) -> Table:
        table = self.schema.tables.get(entity) or self.schema.by_set.get(entity)
        if table is None:
            raise ControlError(f"There is no table {entity!r}.")
        return table

    def person_action(self, action: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        return self.person.act(action, arguments)

    def privileges(self) -> Mapping[str, object]:
        return self.security.as_dict()

    def change_privileges(self, change: Mapping[str, Any]) -> None:
        self.security.change(change)

    def control_action(self, path: str, method: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        if (method, path) == ("POST", "/schema/changed"):
            table = self._table(str(arguments.get("entity")))
            version = self.store.next_version()
            self.store.set_meta(f"schema/{table.name}", str(version))
            return {"entity": table.name, "version": version}
        if (method, path) == ("GET", "/webhooks"):
            return self.webhooks.as_dict()
        if (method, path) == ("GET", "/limits"):
            return self.limits.as_dict()
        if (method, path) == ("POST", "/tokens/revoke"):
            self.sign_in.tokens.revoke_all()
            return {"revoked": True}
        answer = self.environment.act(method, path, arguments)
        return answer if answer is not None else super().control_action(path, method, arguments)
