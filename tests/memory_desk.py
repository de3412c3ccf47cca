"""A desk over the crm system in memory: what people do there beside typing, with answers that get lost on request."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tandem.connectors.memory import Fault, MemorySystem
from tandem.core.errors import UnknownOutcomeError
from tandem.core.record import USER, RecordId, RecordKey, Side, Version
from tandem.ports import Campaign, MemberList, Task


@dataclass
class MemoryDesk:
    """`faults` befall the next writes, one each; `writes` counts those that were carried out."""

    system: MemorySystem
    tasks: dict[RecordId, Task] = field(default_factory=dict)
    campaigns: dict[RecordId, Campaign] = field(default_factory=dict)
    lists: dict[RecordId, MemberList] = field(default_factory=dict)
    members: dict[RecordId, set[RecordId]] = field(default_factory=dict)
    faults: deque[Fault | None] = field(default_factory=deque)
    writes: int = 0

    async def find_owner(self, who: str) -> RecordKey | None:
        return RecordKey(Side.CRM, USER, RecordId(who)) if who.startswith("user") else None

    async def fetch_owner(self, record: RecordKey) -> tuple[RecordId | None, Version | None]:
        found = self.system.records.get(record.entity, {}).get(record.id)
        if found is None:
            return None, None
        return RecordId(str(found.get("ownerid", "nobody"))), Version(str(self.system.versions[record]))

    async def assign(self, record: RecordKey, owner: RecordKey, version: Version | None) -> bool:
        if version != str(self.system.versions[record]):
            return False
        self._befall(lambda: self.system.edit(record.entity, record.id, {"ownerid": owner.id}, source="tandem"))
        return True

    async def has_task(self, id: RecordId) -> bool:
        return id in self.tasks

    async def create_task(self, task: Task) -> None:
        self._befall(lambda: self.tasks.setdefault(task.id, task))

    async def find_campaign(self, named: str) -> Campaign | None:
        found = [c for c in self.campaigns.values() if named in (c.id, c.name)]
        return found[0] if len(found) == 1 else None

    async def fetch_lists(self, campaign: RecordId) -> list[MemberList]:
        return list(self.lists.values())

    async def ensure_list(self, campaign: RecordId, new: MemberList, name: str) -> None:
        self._befall(lambda: self.lists.setdefault(new.id, replace(new)))

    async def fetch_members(self, list_: RecordId, among: Sequence[RecordId] | None = None) -> set[RecordId]:
        found = self.members.get(list_, set())
        return set(found) if among is None else found & set(among)

    async def add_members(self, list_: MemberList, ids: Sequence[RecordId]) -> None:
        self._befall(lambda: self.members.setdefault(list_.id, set()).update(ids))

    async def remove_member(self, list_: MemberList, id: RecordId) -> None:
        self._befall(lambda: self.members[list_.id].discard(id))

    def _befall(self, deed: Callable[[], object]) -> None:
        fault = self.faults.popleft() if self.faults else None
        if fault is not Fault.LOST_REQUEST:
            deed()
            self.writes += 1
        if fault is not None:
            raise UnknownOutcomeError("no answer", side=Side.CRM, operation="a deed", code="lost")
