"""The messages there are: name, what it is bound to, who carries it out.

A new message gets a line in `_table`; everything else follows from it: its URL, its name for faults and counters,
how many records it counts for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tandem_emulators.dataverse import errors
from tandem_emulators.dataverse.bulk import Bulk, count_targets
from tandem_emulators.dataverse.bulk_delete import BulkDelete
from tandem_emulators.dataverse.deployment import CLOUD_MESSAGES
from tandem_emulators.dataverse.duplicate_rules import DuplicateRules
from tandem_emulators.dataverse.marketing_lists import MarketingLists
from tandem_emulators.dataverse.merge import Merge
from tandem_emulators.dataverse.message import NAMESPACE, OF_ROW, OF_SET, UNBOUND, Message
from tandem_emulators.dataverse.opportunity_close import LOST, WON, OpportunityClose
from tandem_emulators.dataverse.qualify import Qualification
from tandem_emulators.dataverse.reading import Reader
from tandem_emulators.dataverse.recycle_bin import RecycleBin
from tandem_emulators.dataverse.schema import Table
from tandem_emulators.dataverse.teams import Teams
from tandem_emulators.dataverse.writing import Writer


class Messages:
    def __init__(self, reader: Reader, writer: Writer) -> None:
        left_out = CLOUD_MESSAGES if writer.settings.on_premises else frozenset[str]()
        there = [message for message in _table(reader, writer) if message.name not in left_out]
        self._messages = {(message.binding, message.name): message for message in there}

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for _, name in self._messages)

    def find(self, binding: str, segment: str, table: Table | None = None) -> Message | None:
        """By the last segment of a URL. Bound messages are named with their namespace, others without."""
        if binding != UNBOUND and not segment.startswith(NAMESPACE):
            return None
        name = segment.removeprefix(NAMESPACE).partition("(")[0]
        message = self._messages.get((binding, name))
        if message is None or (message.tables and (table is None or table.name not in message.tables)):
            return None
        return message

    def get(self, binding: str, segment: str, table: Table | None = None) -> Message:
        message = self.find(binding, segment, table)
        if message is None:
            raise errors.segment_not_found(segment)
        return message


def _table(reader: Reader, writer: Writer) -> tuple[Message, ...]:
    bulk, lists, teams, rules = Bulk(writer), MarketingLists(writer), Teams(writer), DuplicateRules(writer)
    bin_ = RecycleBin(writer)
    lead, team, list_, rule = (frozenset({name}) for name in ("lead", "team", "list", "duplicaterule"))
    return (
        Message("CreateMultiple", "create_multiple", bulk.create, OF_SET, records=count_targets),
        Message("UpdateMultiple", "update_multiple", bulk.update, OF_SET, records=count_targets),
        Message("UpsertMultiple", "upsert_multiple", bulk.upsert, OF_SET, records=count_targets),
        Message("DeleteMultiple", "delete_multiple", bulk.delete, OF_SET, records=count_targets),
        Message("BulkDelete", "bulk_delete", BulkDelete(writer).run),
        Message("Merge", "merge", Merge(writer).run, records=_two),
        Message("QualifyLead", "qualify", Qualification(reader, writer).run, OF_ROW, lead),
        Message("WinOpportunity", "win_opportunity", OpportunityClose(writer, WON).run),
        Message("LoseOpportunity", "lose_opportunity", OpportunityClose(writer, LOST).run),
        Message("AddListMembersList", "add_list_members", lists.add_many),
        Message("AddMemberList", "add_member", lists.add_one, OF_ROW, list_),
        Message("RemoveMemberList", "remove_member", lists.remove_one, OF_ROW, list_),
        Message("AddMembersTeam", "add_members", teams.add, OF_ROW, team),
        Message("RemoveMembersTeam", "remove_members", teams.remove, OF_ROW, team),
        Message("Restore", "restore", bin_.run),
        Message("Restore", "restore", bin_.run, OF_SET),
        Message("PublishDuplicateRule", "publish", rules.publish, OF_ROW, rule),
        Message("UnpublishDuplicateRule", "unpublish_duplicate_rule", rules.unpublish),
    )


def _two(body: Mapping[str, Any]) -> int:
    return 2
