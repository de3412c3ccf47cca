"""The Dataverse emulator as the kit serves it: sign-in and Web API on one address, one organisation behind."""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

import msgspec

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.api import JSON, ROOT, WebApi
from tandem_emulators.dataverse.batch import Batch
from tandem_emulators.dataverse.client_assertion import ensure_certificate
from tandem_emulators.dataverse.entra import Entra, Grant
from tandem_emulators.dataverse.errors import ODataError
from tandem_emulators.dataverse.limits import Limits
from tandem_emulators.dataverse.messages import Messages
from tandem_emulators.dataverse.options import parse_preferences
from tandem_emulators.dataverse.organization import Organization
from tandem_emulators.dataverse.person import PersonAtWork
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.schema_files import load_schema
from tandem_emulators.dataverse.security import Caller, Security
from tandem_emulators.dataverse.seed import Seeder, table_is_empty
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.sign_in_errors import ACCOUNT_STATES
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.writing import Writer
from tandem_emulators.kit.emulator import Emulator, Options
from tandem_emulators.kit.errors import ConnectionDroppedError, ControlError
from tandem_emulators.kit.faults import FaultRule
from tandem_emulators.kit.http import Reply, Request, json_reply

log = logging.getLogger("tandem_emulators.dataverse")

_ERROR_DETAILS = "Microsoft.PowerApps.CDS."
_DOP_HINT = "4"


def build(options: Options) -> "DataverseEmulator":
    return DataverseEmulator(options)


class DataverseEmulator(Emulator):
    service = "dataverse"
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "limits": ("published", "off"),
        "account_state": ("enabled", *ACCOUNT_STATES),
        "application_state": ("registered", "secret_expired", "no_consent"),
        "user_state": ("enabled", "disabled", "no_role", "not_member"),
    }

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.settings = Settings(limits=options.limits)
        self.change_settings(options.settings)
        self.organization = Organization(options.seed)
        self.schema = load_schema()
        self.store = Store(self.schema, options.db)
        if table_is_empty(self.store, self.schema.tables["organization"]):
            Seeder(self.schema, self.store, self.organization, options.people).seed()
        self.organization.random.seed(f"{options.seed}/ids/{self.store.version}")
        self.security = Security(self.schema)
        self.limits = Limits(self.clock, self.settings)
        self.certificate = ensure_certificate(options.app_certificate) if options.app_certificate else None
        self.entra = Entra(self.organization, self.clock, self.settings, self.certificate)
        reader = Reader(self.schema, self.store, self.clock, self.security, self.settings)
        writer = Writer(self.schema, self.store, self.clock, self.security, self.settings, self.organization)
        self.api = WebApi(self.schema, self.organization, reader, writer, self.counters)
        self.person = PersonAtWork(writer, Messages(reader, writer))

    def announcement(self, url: str) -> dict[str, object]:
        organization = self.organization
        return {
            "service": self.service,
            "url": url,
            "authority": url,
            "tenant_id": organization.tenant_id,
            "client_id": organization.client_id,
            "client_secret": organization.client_secret,
            "username": organization.username,
            "password": organization.password,
            **({"client_certificate_file": self.certificate.file} if self.certificate else {}),
        }

    def close(self) -> None:
        self.store.close()

    # Requests.

    def operation(self, request: Request) -> str:
        return Entra.operation(request.path) or self.api.operation(request)

    def admit(self, request: Request, operation: str) -> Reply | None:
        grant = self.entra.grant_of(request.headers.get("authorization", ""))
        if grant is None or not request.path.startswith("/api/"):
            return None
        refusal = self.limits.check(grant.user_id, request.in_flight)
        return self._refuse(refusal, request) if refusal else None

    def handle(self, request: Request, operation: str) -> Reply:
        if operation in ("token", "identity"):
            return self.entra.handle(request)
        if not request.path.startswith("/api/data/"):
            return json_reply(
                {"Message": f"No HTTP resource was found that matches the request URI '{request.path}'."}, 404
            )
        if ROOT.match(request.path + "/") is None:
            return json_reply({"Message": "The API version of the request URI is not supported."}, 404)
        if not request.path.endswith("/") and ROOT.fullmatch(request.path + "/"):
            request.path += "/"
        grant = self.entra.grant_of(request.headers.get("authorization", ""))
        reply = self._challenge(request) if grant is None else self._as_member(request, grant, operation)
        return self._dressed(reply, grant)

    def finished(self, request: Request, operation: str, seconds: float) -> None:
        grant = self.entra.grant_of(request.headers.get("authorization", ""))
        if grant is not None:
            self.limits.worked(grant.user_id, seconds)

    def _challenge(self, request: Request) -> Reply:
        base = request.base_url
        uri = f"{base}/{self.organization.tenant_id}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={uri}, resource_id={base}/"
        return Reply(401, b"", {"www-authenticate": challenge})

    def _as_member(self, request: Request, grant: Grant, operation: str) -> Reply:
        caller = Caller(grant.user_id)
        refusal = self._membership_refusal()
        if refusal is not None:
            return self._refuse(refusal, request)
        if operation == "batch":
            return self._batch(request, caller)
        return self._answer(request, caller, {}, in_batch=False)

    def _membership_refusal(self) -> ODataError | None:
        if not self.settings.organization_enabled:
            return errors.organization_disabled()
        if self.settings.admin_mode:
            return errors.admin_mode()
        refusals = {
            "disabled": errors.user_disabled,
            "no_role": errors.no_roles,
            "not_member": errors.not_a_member,
        }
        make = refusals.get(self.settings.user_state)
        return make() if make else None

    def _answer(self, request: Request, caller: Caller, references: Mapping[str, str], *, in_batch: bool) -> Reply:
        try:
            return self.api.dispatch(request, caller, references, in_batch=in_batch)
        except ODataError as error:
            return self._refuse(error, request)
        except Exception:
            log.exception("a request could not be answered: %s", self.api.operation(request))
            return self._refuse(ODataError(500, "0x80040216", "An unexpected error occurred."), request)

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
            return self._answer(part, caller, references, in_batch=True)

        def fail(error: ODataError) -> Reply:
            return self._refuse(error, request)

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

    def _refuse(self, error: ODataError, request: Request) -> Reply:
        body: dict[str, object] = {"code": error.code, "message": error.message}
        preferences = parse_preferences(request.headers.get("prefer"))
        code = error.code.removeprefix("0x")
        link = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a"
        details = {
            "ErrorDetails.OperationStatus": "0",
            "ErrorDetails.SubErrorCode": "-2146233088",
            "HelpLink": f"{link}{code}&client=platform",
            "TraceText": "",
            "InnerError.Message": error.message,
        }
        wanted = {name: text for name, text in details.items() if preferences.wants(_ERROR_DETAILS + name)}
        body |= {f"@{_ERROR_DETAILS}{name}": text for name, text in wanted.items()}
        headers = dict(JSON)
        if error.retry_after_s is not None:
            headers["retry-after"] = str(error.retry_after_s)
        return Reply(error.status, msgspec.json.encode({"error": body}), headers)

    def _dressed(self, reply: Reply, grant: Grant | None) -> Reply:
        """The headers that every answer of the service has."""
        request_id = str(uuid4())
        reply.headers.update(
            {
                "cache-control": "no-cache",
                "allow": "OPTIONS,GET,HEAD,POST",
                "req_id": request_id,
                "x-ms-service-request-id": request_id,
                "timing-allow-origin": "*",
            }
        )
        if grant is not None:
            reply.headers.update(self.limits.headers(grant.user_id))
            reply.headers["x-ms-dop-hint"] = _DOP_HINT
        return reply

    def fault_reply(self, rule: FaultRule) -> Reply:
        """An injected status carries the envelope of the Web API unless the rule brings a body of its own."""
        if rule.body is not None:
            return super().fault_reply(rule)
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
        if (method, path) == ("POST", "/tokens/revoke"):
            self.entra.revoke_all()
            return {"revoked": True}
        return super().control_action(path, method, arguments)
