"""Who a request is made as: the signed-in user, or one whom that user may impersonate (sheet 1.4, 2.2).

Everything that keeps a signed-in user out is decided here, from the rows of the organisation or from a switch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.security import (
    ACT_ON_BEHALF,
    BYPASS_LOGIC,
    BYPASS_PLUGINS,
    Caller,
    Security,
)
from tandem_emulators.dataverse.settings import Settings
from tandem_emulators.dataverse.store import Store
from tandem_emulators.dataverse.values import parse_guid
from tandem_emulators.kit.http import Request

_IMPERSONATION_HEADERS = ("callerobjectid", "mscrmcallerid")
_PLUGIN_HEADER = "mscrm.bypasscustompluginexecution"
_LOGIC_HEADER = "mscrm.bypassbusinesslogicexecution"
_STEPS_HEADER = "mscrm.bypassbusinesslogicexecutionstepids"
CALLER_HEADERS = (*_IMPERSONATION_HEADERS, _PLUGIN_HEADER, _LOGIC_HEADER, _STEPS_HEADER)
_KINDS = {"customsync": "CustomSync", "customasync": "CustomAsync"}


@dataclass
class Membership:
    store: Store
    security: Security
    settings: Settings

    def caller(self, user_id: str, request: Request) -> Caller:
        """Raises the 403 of section 1.4 or 2.6 that this user or this impersonation meets."""
        if not self.settings.organization_enabled:
            raise errors.organization_disabled(self.settings.closed_environment_status)
        self._require_member(user_id)
        caller = Caller(user_id, self.security.is_administrator(user_id))
        if self.settings.admin_mode and not caller.is_administrator:
            raise errors.admin_mode(self.settings.closed_environment_status)
        if self.settings.user_state == "no_role":
            raise errors.no_roles()
        found = self._with_bypasses(self._impersonated(caller, request.headers), request.headers)
        tag = dict(request.query()).get("tag") if "tag=" in request.query_string else None
        return found if tag is None else replace(found, tag=tag)

    def _require_member(self, user_id: str) -> None:
        user = self._user("systemuserid", user_id)
        if user is None or self.settings.user_state == "not_member":
            raise errors.not_a_member()
        if user[1] or self.settings.user_state == "disabled":
            raise errors.user_disabled()

    def _impersonated(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """The user named by Entra object id is preferred to the one named by row id; the word null names nobody."""
        columns = ("azureactivedirectoryobjectid", "systemuserid")
        for header, column in zip(_IMPERSONATION_HEADERS, columns, strict=True):
            named = headers.get(header, "").strip()
            if not named or named == "null":
                continue
            if not self.security.holds(caller, ACT_ON_BEHALF[0]):
                raise errors.cannot_act_on_behalf()
            user_id = parse_guid(named)
            user = self._user(column, user_id) if user_id else None
            if user is None:
                raise errors.invalid_user(named)
            if user[1]:
                raise errors.user_disabled()
            return Caller(user[0], caller.is_administrator, impersonated_by=caller.user_id)
        return caller

    def _with_bypasses(self, caller: Caller, headers: Mapping[str, str]) -> Caller:
        """What custom logic the caller asks to leave out; each way of asking has its own privilege."""
        bypasses: set[str] = set()
        if headers.get(_PLUGIN_HEADER, "").strip().lower() == "true":
            self.security.require_named(caller, BYPASS_PLUGINS)
            bypasses.add("CustomSync")
        asked = [text.strip() for text in headers.get(_LOGIC_HEADER, "").split(",") if text.strip()]
        steps = [text.strip().lower() for text in headers.get(_STEPS_HEADER, "").split(",") if text.strip()]
        if asked or steps:
            self.security.require_named(caller, BYPASS_LOGIC)
            for text in asked:
                if text.lower() not in _KINDS:
                    raise errors.invalid_argument(f"'{text}' is not a kind of custom business logic.")
                bypasses.add(_KINDS[text.lower()])
        found = bypasses | set(steps)
        return replace(caller, bypasses=frozenset(found)) if found else caller

    def _user(self, column: str, value: str) -> tuple[str, bool] | None:
        """Id, and whether disabled; the rest of the many columns is not read for every request."""
        sql = f'SELECT "systemuserid", "isdisabled" FROM "systemuser" WHERE "{column}" = ?'
        found = self.store.connection.execute(sql, (value,)).fetchone()
        return (str(found[0]), bool(found[1])) if found else None
