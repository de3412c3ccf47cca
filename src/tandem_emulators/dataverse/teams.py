"""Members of teams: AddMembersTeam and RemoveMembersTeam; a unit's default team keeps its own (sheet section 10)."""

from collections.abc import Iterator, Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.events import RowEvent
from tandem_emulators.dataverse.message import MessageCall, Outcome, row_of
from tandem_emulators.dataverse.navigation import Through, get_navigation
from tandem_emulators.dataverse.writing import Writer


class Teams:
    """A listener too: a member may come or go by an association as well as by a message."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def derive(self, row: Mapping[str, Any], changes: dict[str, Any]) -> None:
        """A new team belongs to the organisation's unit, and somebody administrates it."""
        organization = self._writer.organization
        if row.get("businessunitid") is None:
            changes["businessunitid"] = organization.business_unit_id
        if row.get("administratorid") is None:
            changes["administratorid"] = organization.administrator_id

    def notice(self, event: RowEvent) -> None:
        if event.table.name != "teammembership":
            return
        is_joining = event.message == "Create"
        columns = event.changes if is_joining else event.before
        team = self._writer.store.find(self._writer.schema.tables["team"], columns["teamid"])
        if team is not None and team.get("isdefault"):
            raise errors.default_team_joined() if is_joining else errors.default_team_left()

    def add(self, call: MessageCall) -> Outcome:
        for navigation, user_id in self._members(call):
            if self._writer.associations.pair(navigation, call.record_id, user_id) is None:
                self._writer.associations.add_pair(call.caller, call.bound_table, call.record_id, navigation, user_id)
        return Outcome()

    def remove(self, call: MessageCall) -> Outcome:
        for navigation, user_id in self._members(call):
            pair_id = self._writer.associations.pair(navigation, call.record_id, user_id)
            if pair_id is not None:
                self._writer.remove(call.caller, navigation.pairs, pair_id)
        return Outcome()

    def _members(self, call: MessageCall) -> Iterator[tuple[Through, str]]:
        team = call.bound_table
        self._writer.security.require(call.caller, team, "Write")
        if not self._writer.store.exists(team, call.record_id):
            raise errors.does_not_exist(team.name, call.record_id)
        navigation = get_navigation(self._writer.schema, team, "teammembership_association")
        assert isinstance(navigation, Through)
        members = call.body.get("Members")
        if not isinstance(members, list):
            raise errors.invalid_argument("Required parameter 'Members' is missing.")
        for member in members:
            given = member if isinstance(member, dict) else {}
            user, user_id = row_of(self._writer.schema, given, "Members", frozenset({"systemuser"}))
            if not self._writer.store.exists(user, user_id):
                raise errors.does_not_exist(user.name, user_id)
            yield navigation, user_id
