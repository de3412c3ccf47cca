"""Lookups and paths of custom tables: which become links, which are shown as text, and why one cannot be shown."""

from typing import Any

from tandem.core.default_mapping import DefaultMapping, DefaultPair
from tandem.core.following import shown_pairs
from tandem.core.mapping import Direction, Watch
from tandem.core.mapping_resolver import ResolvedMapping, resolve_mapping
from tandem.core.record import CONTACT, PERSON, Entity, Side
from tandem.core.related import Related
from tandem.core.schema import EntitySchema, FieldInfo, FieldKind, FieldLink

EVENT, SESSION, TALK = Entity("new_event"), Entity("new_session"), Entity("new_talk")
TOPIC, PAIRS = Entity("new_topic"), Entity("new_event_topic")
PERSON_ID = FieldLink(PERSON, "id")


def table(entity: Entity, *lookups: tuple[str, str]) -> EntitySchema:
    fields = [FieldInfo("new_name", "Name", FieldKind.TEXT, "String", max_length=100)]
    fields += [FieldInfo(name, name, FieldKind.REFERENCE, "Lookup", targets=(target,)) for name, target in lookups]
    return EntitySchema(entity, {info.name: info for info in fields})


def resolve(
    schema: EntitySchema, before: dict[Entity, Related], marketing: EntitySchema | None = None, **pairs: str
) -> ResolvedMapping:
    """`pairs`: the Marketo field, and the column or path that it shows."""
    object_ = Entity(schema.entity.removeprefix("new_"))
    lines = [DefaultPair("@id", "crmId", "CRM Id", "string", Direction.TO_MARKETING)]
    lines += [DefaultPair(crm, name, direction=Direction.TO_MARKETING) for name, crm in pairs.items()]
    default = DefaultMapping(schema.entity, object_, "crmId", tuple(lines), is_custom=True, labels=("X", "Xs"))
    resolved = resolve_mapping(default, schema, marketing, direction=Direction.TO_MARKETING, related=before)
    assert resolved.related is not None
    before[schema.entity] = resolved.related
    return resolved


def links(resolved: ResolvedMapping) -> dict[str, FieldLink | None]:
    assert resolved.new_object is not None
    return {field.name: field.link for field in resolved.new_object.fields[1:]}


def chain() -> dict[Entity, Related]:
    before: dict[Entity, Related] = {}
    resolve(table(EVENT, ("new_contactid", "contact")), before, person="new_contactid", title="new_name")
    resolve(
        table(SESSION, ("new_eventid", "new_event")),
        before,
        event="new_eventid",
        person="new_eventid.new_contactid",
    )
    return before


def test_a_path_links_to_the_person_at_its_end_at_any_depth() -> None:
    talk = resolve(
        table(TALK, ("new_sessionid", "new_session")),
        chain(),
        session="new_sessionid",
        person="new_sessionid.new_eventid.new_contactid",
    )
    assert links(talk) == {"session": None, "person": PERSON_ID}
    pair = talk.mapping.pairs[2]
    assert (pair.parents, pair.through) == ((SESSION,), "new_eventid.new_contactid|person")
    assert pair.parent_by is Side.CRM, "the value is the session's own, not the session's place in Marketo"
    assert not talk.left_out


def test_a_path_shows_a_plain_column_by_its_own_type() -> None:
    session = resolve(table(SESSION, ("new_eventid", "new_event")), chain(), eventName="new_eventid.new_name")
    assert session.new_object is not None
    assert [field.native_type for field in session.new_object.fields] == ["string", "string"]
    assert session.mapping.pairs[1].through == "new_name|title"


def described(schema: EntitySchema, path: str, *, of: str, **more: Any) -> EntitySchema:
    """The schema with what crm says of a path to a column of the table `of`."""
    shows = ((Entity(of), path.partition(".")[2]),)
    info = FieldInfo(path, "Shown", FieldKind.TEXT, "String", is_writable=False, shows=shows, **more)
    return EntitySchema(schema.entity, {**schema.fields, path: info})


def test_a_path_to_a_table_or_column_that_is_not_synced_is_read_with_the_record() -> None:
    schema = table(SESSION, ("new_eventid", "new_event"), ("new_roomid", "new_room"))
    for path, of in (("new_roomid.new_name", "new_room"), ("new_eventid.new_capacity", "new_event")):
        session = resolve(described(schema, path, of=of), chain(), shown=path)
        pair = session.mapping.pairs[1]
        lookup, column = path.split(".")
        assert (pair.crm, pair.through, pair.direction) == (path, "", Direction.TO_MARKETING)
        assert pair.watches == (Watch(f"{lookup}.@id", Entity(of), column),)
        assert session.mapping.crm_fields == ("@id", path, f"{lookup}.@id")
        assert session.mapping.paths == (path,)


def test_a_path_to_a_column_that_is_synced_is_not_read() -> None:
    path = "new_eventid.new_name"
    schema = described(table(SESSION, ("new_eventid", "new_event")), path, of="new_event")
    session = resolve(schema, chain(), shown=path)
    assert session.mapping.pairs[1].through == "new_name|title"
    assert session.mapping.crm_fields == ("@id", "new_eventid.@id.new_name"), "the id, whose record's base is shown"
    assert session.mapping.paths == ()


def test_a_second_link_that_a_path_would_be_is_left_out_even_if_crm_could_read_it() -> None:
    path = "new_eventid.new_contactid"
    lookups = (("new_contactid", "contact"), ("new_eventid", "new_event"))
    schema = described(table(SESSION, *lookups), path, of="new_event")
    session = resolve(schema, chain(), person="new_contactid", other=path)
    assert [pair.crm for pair in session.mapping.pairs] == ["@id", "new_contactid"]
    assert [left.crm_field for left in session.left_out] == [path]


def test_a_path_that_leads_to_nothing_is_left_out_with_the_remedy() -> None:
    schema = table(SESSION, ("new_eventid", "new_event"), ("new_roomid", "new_room"))
    for path, reason, remedy in (
        ("new_roomid.new_name", "new_name is no column of new_room", "Correct the name"),
        ("new_eventid.new_capacity", "new_capacity is no column of new_event", "Correct the name"),
        ("new_roomid.new_houseid.new_name", "new_room, which maps no new_houseid.new_name", "settings of new_room"),
        ("new_name.new_contactid", "new_name is no lookup", "logical name"),
        ("new_gone.new_name", "new_gone is no lookup", "logical name"),
    ):
        (left,) = resolve(schema, chain(), shown=path).left_out
        assert (reason in left.reason, remedy in left.remedy) == (True, True), left


def test_a_table_of_pairs_links_to_both_of_its_ends() -> None:
    before: dict[Entity, Related] = {}
    resolve(table(TOPIC), before, title="new_name")
    bridge = resolve(
        table(PAIRS, ("contactid", "contact"), ("new_topicid", "new_topic")),
        before,
        person="contactid",
        topic="new_topicid",
    )
    assert links(bridge) == {"person": PERSON_ID, "topic": FieldLink(Entity("topic"), "crmId")}
    person, topic = bridge.mapping.pairs[1:]
    assert (person.parents, person.parent_by) == ((CONTACT,), Side.MARKETING)
    assert (topic.parents, topic.parent_by) == ((TOPIC,), Side.CRM), "its key in Marketo is its GUID"


def test_nothing_links_to_an_object_that_has_a_link_itself() -> None:
    session = resolve(table(SESSION, ("new_eventid", "new_event")), chain(), event="new_eventid")
    assert links(session) == {"event": None}


def test_a_second_link_of_a_kind_is_shown_as_text_and_told() -> None:
    schema = table(EVENT, ("new_contactid", "contact"), ("new_accountid", "account"))
    event = resolve(schema, {}, person="new_contactid", company="new_accountid")
    assert links(event) == {"person": PERSON_ID, "company": None}
    (note,) = event.narrowed
    assert "one link of this kind" in note.reason
    assert note.crm_field == "new_accountid"


def test_what_is_shown_of_each_table() -> None:
    before = chain()
    shown = shown_pairs(related.mapping for related in before.values())
    assert shown == {CONTACT: {""}, EVENT: {"new_contactid|person"}}
