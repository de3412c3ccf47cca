"""The three sides that the connectors' contract is run on, each with a person at the keyboard and a bad network.

A world is what a connector adds: how its side is reached behind the connector's back. Fields have the side's own names
but one meaning: a name, an e-mail address, a phone number.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any, ClassVar
from uuid import uuid4

from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.connectors.marketo.connector import MarketoConnector
from tandem.connectors.memory import Fault, MemoryConnector, MemorySystem
from tandem.core.plan import ActionKind
from tandem.core.record import CONTACT, PERSON, Entity, RecordId, Side, Value, Version
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, NewField
from tandem.ports import Connector, Write
from tests.connectors.dynamics.emulator import Emulator as Dataverse
from tests.connectors.fake_clock import FakeClock
from tests.connectors.marketo.emulator import Emulator as Marketo
from tests.connectors.marketo.emulator import EmulatorClock

TOO_LONG = "x" * 3_000
_NUMBERS = count(1)


class ConnectorWorld(ABC):
    connector: Connector
    entity: Entity
    name: ClassVar[str]
    email: ClassVar[str]
    phone: ClassVar[str]

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.name, self.email, self.phone)

    @property
    def is_crm(self) -> bool:
        return self.connector.side is Side.CRM

    @abstractmethod
    def create(self, **values: Value) -> RecordId:
        """A person makes a record; values by the names of the contract (name, email, phone)."""

    @abstractmethod
    def edit(self, id_: RecordId, **values: Value) -> None: ...

    @abstractmethod
    def delete(self, id_: RecordId) -> None: ...

    @abstractmethod
    def truth(self) -> Mapping[RecordId, tuple[Value, ...]]:
        """What the side really holds in ``fields``."""

    @abstractmethod
    def pass_time(self) -> None:
        """Until every change is in the feeds, and they are due again."""

    @abstractmethod
    def lose_answer(self) -> None:
        """The next write is done, and its answer gets lost."""

    @abstractmethod
    def be_busy(self) -> None:
        """Refuse to write from now on."""

    @abstractmethod
    def recover(self) -> None: ...

    @abstractmethod
    def forget_cursors(self) -> None: ...

    @abstractmethod
    def now(self) -> datetime:
        """What the side's own clock shows."""

    def named(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {getattr(self, meaning): value for meaning, value in values.items()}

    def a_create(self, **values: Value) -> Write:
        """A new record under a key of its own: its GUID in Dynamics, its e-mail address in Marketo."""
        given = self.named({"name": "Created", "email": an_email()} | values)
        id_ = RecordId(str(uuid4())) if self.is_crm else None
        return Write(ActionKind.CREATE, id_, given, lookup=None if self.is_crm else self.email)

    def an_update(self, id_: RecordId, version: Version | None = None, **values: Value) -> Write:
        return Write(ActionKind.UPDATE, id_, self.named(values), version)

    def a_field(self) -> NewField:
        """One that the side lacks; a person's field in Marketo, a column under a publisher's prefix in Dynamics."""
        number = next(_NUMBERS)
        if self.is_crm:
            return NewField(f"new_note{number}", f"Note {number}", "String")
        return NewField(f"contractNote{number}", f"Note {number}", "string")

    def an_unknown_id(self) -> RecordId:
        return RecordId(str(uuid4()) if self.is_crm else str(900_000_000 + next(_NUMBERS)))


def an_email() -> str:
    return f"somebody.{next(_NUMBERS)}@contract.example"


class MemoryWorld(ConnectorWorld):
    def __init__(self, people: int) -> None:
        self.clock = FakeClock()
        self.system = MemorySystem(self._side, self.clock, refuse=lambda name, value: value == TOO_LONG)
        infos = {name: FieldInfo(name, name, FieldKind.TEXT, "string") for name in self.fields}
        self.connector = MemoryConnector(self.system, schemas={self.entity: EntitySchema(self.entity, infos)})
        for number in range(people):
            self.create(name=f"Person {number}", email=an_email())

    _side: ClassVar[Side]

    def create(self, **values: Value) -> RecordId:
        return self.system.create(self.entity, self.named(values))

    def edit(self, id_: RecordId, **values: Value) -> None:
        self.system.edit(self.entity, id_, self.named(values))

    def delete(self, id_: RecordId) -> None:
        self.system.delete(self.entity, id_)

    def truth(self) -> Mapping[RecordId, tuple[Value, ...]]:
        records = self.system.records[self.entity]
        return {id_: tuple(record.get(name) for name in self.fields) for id_, record in records.items()}

    def pass_time(self) -> None:
        self.clock.advance(120)

    def now(self) -> datetime:
        return self.clock.now()

    def lose_answer(self) -> None:
        self.system.faults.append(Fault.LOST_RESPONSE)

    def be_busy(self) -> None:
        self.system.faults.append(Fault.BUSY)

    def recover(self) -> None:
        self.system.faults.clear()

    def forget_cursors(self) -> None:
        self.system.forget_log()


class MemoryCrmWorld(MemoryWorld):
    entity = CONTACT
    name, email, phone = "lastname", "emailaddress1", "telephone1"
    _side = Side.CRM


class MemoryMarketingWorld(MemoryWorld):
    entity = PERSON
    name, email, phone = "lastName", "email", "phone"
    _side = Side.MARKETING


class EmulatedWorld(ConnectorWorld):
    """An emulator as a process: people act through its control API."""

    kind: ClassVar[str]
    key: ClassVar[str]
    write_operation: ClassVar[str]

    def __init__(self, emulator: "Dataverse | Marketo") -> None:
        self.emulator = emulator

    def create(self, **values: Value) -> RecordId:
        made = self.emulator.control("people/create", {"entity": self.kind, "values": self.named(values)})
        return RecordId(str(made["id"]))

    def edit(self, id_: RecordId, **values: Value) -> None:
        self.emulator.control(
            "people/edit", {"entity": self.kind, "id": self.native(id_), "values": self.named(values)}
        )

    def delete(self, id_: RecordId) -> None:
        self.emulator.control("people/delete", {"entity": self.kind, "id": self.native(id_)})

    def truth(self) -> Mapping[RecordId, tuple[Value, ...]]:
        rows: list[dict[str, Any]] = self.emulator.control(f"records/{self.kind}?limit=5000")["records"]
        return {RecordId(str(row[self.key])): tuple(row.get(name) or None for name in self.fields) for row in rows}

    def native(self, id_: RecordId) -> str | int:
        return id_ if self.is_crm else int(id_)

    def lose_answer(self) -> None:
        self.emulator.fault(self.write_operation, "drop_after")

    def recover(self) -> None:
        self.emulator.control("faults", method="DELETE")

    def forget_cursors(self) -> None:
        self.pass_time(100 * 86_400)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.emulator.control("clock")["now"])

    @abstractmethod
    def pass_time(self, seconds: float = 120) -> None: ...


class DynamicsWorld(EmulatedWorld):
    entity = CONTACT
    name, email, phone = "lastname", "emailaddress1", "telephone1"
    kind, key, write_operation = "contact", "contactid", "batch"

    def __init__(self, emulator: Dataverse, clock: FakeClock | None = None) -> None:
        super().__init__(emulator)
        self.clock = clock or FakeClock()
        names = ("url", "tenant_id", "client_id", "client_secret", "username", "password", "authority")
        facts = {name: emulator.first_line[name] for name in names}
        if facts["tenant_id"] is None:
            facts |= {"auth": "adfs", "api_version": "v9.1"}
        self.connector = DynamicsConnector(**facts, clock=self.clock, page_size=60)

    def pass_time(self, seconds: float = 120) -> None:
        self.clock.advance(seconds)
        self.emulator.control("clock", {"advance_s": seconds})

    def be_busy(self) -> None:
        self.emulator.fault("batch", "status", status=503, headers={"Retry-After": "1"}, times=None)


class MarketoWorld(EmulatedWorld):
    entity = PERSON
    name, email, phone = "lastName", "email", "phone"
    kind, key, write_operation = "person", "id", "leads.sync"

    def __init__(self, emulator: Marketo) -> None:
        super().__init__(emulator)
        self.clock = EmulatorClock(emulator)
        self.connector = MarketoConnector(
            url=emulator.url,
            munchkin_id=emulator.munchkin_id,
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            clock=self.clock,
            daily_share=10_000,
            max_concurrent=1,
        )

    def pass_time(self, seconds: float = 120) -> None:
        self.clock.advance(seconds)

    def be_busy(self) -> None:
        body = {"requestId": "1#1", "success": False, "errors": [{"code": "713", "message": "Transient Error"}]}
        self.emulator.fault("leads.sync", "body", status=200, body=body, times=None)
