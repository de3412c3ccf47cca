"""The planner on linked records: which fields move, what is held, and what came of our earlier writes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tandem.core.choices import Choice
from tandem.core.lineage import convert_base
from tandem.core.mapping import Direction, FieldPair, NotExpressibleError, Winner, compile_mapping
from tandem.core.plan import ActionKind, Conflict, ConflictKind, Hold
from tandem.core.planner import plan_pass
from tandem.core.policy import DeleteRule, EntityPolicy
from tandem.core.record import (
    ACCOUNT,
    CONTACT,
    LEAD,
    PERSON,
    UNKNOWN,
    Base,
    ChangeRecord,
    Entity,
    LinkStatus,
    Side,
    State,
    Value,
)
from tandem.core.subject import Rules, SentWrite, Subject, is_closed
from tandem.core.transforms import Identity
from tests.builders import small_mappings, small_policies
from tests.core.people import (
    MAPPINGS,
    a_link,
    a_write,
    ada_linked,
    crm_key,
    gone,
    half_of,
    in_crm,
    in_marketing,
    person_key,
    planned,
    rules,
    subject,
    the_action,
    written,
)

ACCOUNT_KEY = crm_key("a1", ACCOUNT)
PHONE = "telephone1|phone"


def policies(winner: Winner) -> dict[Entity, EntityPolicy]:
    return {**small_policies(), CONTACT: EntityPolicy(winner)}


# --- what moves


@pytest.mark.parametrize("entity", [CONTACT, LEAD])
def test_r1_where_nothing_changed_nothing_is_done(entity: Entity) -> None:
    link = ada_linked(entity)
    made = planned(subject(link, in_crm(entity=entity), in_marketing(entity=entity)))
    assert (made.actions, made.conflicts, made.holds, made.changes_link) == ((), (), (), False)
    assert (made.base, made.status, made.crm_version) == (link.base, LinkStatus.LIVE, link.crm_version)


def test_a_new_version_without_a_new_value_moves_the_version_alone() -> None:
    made = planned(subject(ada_linked(), in_crm(version="v2"), in_marketing()))
    assert (made.actions, made.crm_version, made.changes_link) == ((), "v2", True)


def test_r2_an_edit_in_crm_is_one_write_of_one_field() -> None:
    made = planned(subject(ada_linked(), in_crm(telephone1="1", version="v2"), in_marketing()))
    action = the_action(made)
    assert (action.side, action.entity, action.kind, action.id) == (Side.MARKETING, PERSON, ActionKind.UPDATE, "1")
    (write,) = action.writes
    assert (write.pair, write.field, write.before, write.after, write.source) == (PHONE, "phone", None, "1", "1")
    assert write.reason == "changed in crm"
    assert action.version is None
    assert half_of(made, Side.CRM, "telephone1") == (None,)


def test_r2_an_edit_in_marketing_is_one_write_planned_against_the_version_that_was_read() -> None:
    made = planned(subject(ada_linked(), in_crm(version="v2"), in_marketing(phone="1")))
    action = the_action(made)
    assert (action.side, action.entity, action.id, action.version) == (Side.CRM, CONTACT, "c1", "v2")
    assert written(made, Side.CRM) == {"telephone1": "1"}


def test_edits_of_different_fields_on_both_sides_both_arrive() -> None:
    made = planned(subject(ada_linked(), in_crm(telephone1="1"), in_marketing(firstName="Augusta")))
    assert written(made, Side.MARKETING) == {"phone": "1"}
    assert written(made, Side.CRM) == {"firstname": "Augusta"}
    assert made.conflicts == ()


def test_the_same_edit_on_both_sides_moves_the_base_and_writes_nothing() -> None:
    made = planned(subject(ada_linked(), in_crm(telephone1="1"), in_marketing(phone="1")))
    assert (made.actions, made.changes_link) == ((), True)
    assert half_of(made, Side.CRM, "telephone1") == half_of(made, Side.MARKETING, "telephone1") == ("1",)


@pytest.mark.parametrize(
    ("winner", "side", "value"),
    [(Winner.CRM, Side.MARKETING, {"phone": "1"}), (Winner.MARKETING, Side.CRM, {"telephone1": "2"})],
)
def test_r3_edits_of_one_field_on_both_sides_are_recorded_with_both_values(
    winner: Winner, side: Side, value: dict[str, Value]
) -> None:
    both = subject(ada_linked(), in_crm(telephone1="1"), in_marketing(phone="2"))
    made = planned(both, policies=policies(winner))
    assert written(made, side) == value
    assert written(made, side.other) == {}
    (conflict,) = made.conflicts
    assert (conflict.kind, conflict.crm, conflict.marketing, conflict.winner) == (
        ConflictKind.BOTH_CHANGED,
        "1",
        "2",
        winner,
    )


def test_where_policy_holds_neither_side_is_touched_and_the_rest_of_the_record_goes() -> None:
    both = subject(ada_linked(), in_crm(telephone1="1", firstname="Augusta"), in_marketing(phone="2"))
    made = planned(both, policies=policies(Winner.HOLD))
    assert written(made, Side.MARKETING) == {"firstName": "Augusta"}
    assert written(made, Side.CRM) == {}
    assert [hold.field for hold in made.holds] == [PHONE]
    assert made.conflicts[0].winner is Winner.HOLD
    assert half_of(made, Side.CRM, "telephone1") == (None,)


def test_a_parent_that_is_not_linked_yet_keeps_its_field_waiting() -> None:
    given = subject(ada_linked(), in_crm(parentcustomerid="a1", telephone1="1"), in_marketing())
    made = planned(given)
    assert written(made, Side.MARKETING) == {"phone": "1"}
    assert (made.waits_for, made.changes_link) == ((ACCOUNT_KEY,), True)
    there = planned(given, parents=[ACCOUNT_KEY])
    assert written(there, Side.MARKETING) == {"phone": "1", "externalCompanyId": "a1"}
    assert there.waits_for == ()


def test_a_value_that_was_rejected_is_not_sent_again_until_it_changes() -> None:
    rejected = {PHONE: "1"}
    made = planned(subject(ada_linked(), in_crm(telephone1="1"), in_marketing(), rejected=rejected))
    assert made.actions == ()
    assert made.holds == (Hold(PHONE, "phone in marketing was rejected with this value"),)
    changed = planned(subject(ada_linked(), in_crm(telephone1="2"), in_marketing(), rejected=rejected))
    assert written(changed, Side.MARKETING) == {"phone": "2"}
    assert changed.holds == ()


def test_two_columns_of_one_marketing_field_write_it_once() -> None:
    pairs = [FieldPair(name, "phone", Identity(), Direction.TO_MARKETING) for name in ("telephone1", "mobilephone")]
    mapping = compile_mapping(CONTACT, PERSON, pairs, key_field="crmKey")
    crm, marketing = (
        State(crm_key(), in_crm().read_number, ("1", "2")),
        State(person_key(), in_crm().read_number, ("0", "c1")),
    )
    link = replace(ada_linked(), base=Base(("0", "0"), ("0", "0")))
    made = plan_pass(
        [Subject(CONTACT, link, crm, marketing)], Rules("test", {CONTACT: mapping}, {CONTACT: EntityPolicy(Winner.CRM)})
    )
    assert written(made.links[0], Side.MARKETING) == {"phone": "1"}
    new = plan_pass(
        [Subject(CONTACT, None, crm)], Rules("test", {CONTACT: mapping}, {CONTACT: EntityPolicy(Winner.CRM)})
    )
    assert written(new.links[0], Side.MARKETING) == {"phone": "1"}


class Short:
    def to_marketing(self, value: Value) -> Value:
        if isinstance(value, str) and len(value) > 3:
            raise NotExpressibleError("too long")
        return value if value != "-" else None

    def to_crm(self, value: Value) -> Value:
        return self.to_marketing(value)


def test_a_value_that_cannot_be_spelled_is_held_at_a_create_and_one_that_means_nothing_is_left_out() -> None:
    pairs = [FieldPair("lastname", "lastName", Short()), FieldPair("firstname", "firstName", Short())]
    mapping = compile_mapping(CONTACT, PERSON, pairs, key_field="crmKey")
    crm = State(crm_key(), in_crm().read_number, ("Lovelace", "-"))
    made = plan_pass(
        [Subject(CONTACT, None, crm)], Rules("test", {CONTACT: mapping}, {CONTACT: EntityPolicy(Winner.CRM)})
    )
    (link,) = made.links
    assert written(link, Side.MARKETING) == {}
    assert link.holds == (Hold("lastname|lastName", "lastName in marketing cannot hold the value: too long"),)


# --- closed leads


@pytest.mark.parametrize(
    ("state", "expected"),
    [(in_crm(entity=LEAD), False), (in_crm(), False), (gone(crm_key("c1", LEAD)), False), (None, False)],
)
def test_only_a_lead_that_is_there_may_be_closed(state: State | None, expected: bool) -> None:
    mapping = MAPPINGS[CONTACT if state is not None and state.key.entity == CONTACT else LEAD]
    assert is_closed(mapping, state) is expected


PAIRS = [FieldPair("telephone1", "phone", Identity()), FieldPair("fax", "fax", Identity(), winner=Winner.MARKETING)]
WITH_STATE = compile_mapping(LEAD, PERSON, PAIRS, key_field="crmKey", crm_extras=["statecode"])


@pytest.mark.parametrize(("statecode", "expected"), [(None, False), (0, False), (1, True), (2, True)])
def test_a_qualified_or_disqualified_lead_is_closed(statecode: Value, expected: bool) -> None:
    lead = State(crm_key("l1", LEAD), in_crm().read_number, ("1", None, statecode))
    assert is_closed(WITH_STATE, lead) is expected


@pytest.mark.parametrize(
    ("crm", "marketing", "to_marketing", "held"),
    [
        (("0", None), ("0", None), {}, []),
        (("1", None), ("0", None), {"phone": "1"}, []),
        (("0", None), ("2", None), {}, [PHONE]),
        (("1", None), ("2", None), {"phone": "1"}, []),
        (("0", None), ("0", "9"), {}, ["fax|fax"]),
        (("0", "8"), ("0", "9"), {}, ["fax|fax"]),
    ],
)
def test_a_closed_lead_takes_nothing_and_its_own_values_prevail(
    crm: tuple[Value, Value], marketing: tuple[Value, Value], to_marketing: dict[str, Value], held: list[str]
) -> None:
    lead = State(crm_key("l1", LEAD), in_crm().read_number, (*crm, 1))
    person = State(person_key(), in_crm().read_number, (*marketing, "l1"))
    link = replace(ada_linked(LEAD), crm=lead.key, base=Base(("0", None), ("0", None)))
    made = plan_pass([Subject(LEAD, link, lead, person)], Rules("test", {LEAD: WITH_STATE}, small_policies())).links[0]
    assert written(made, Side.CRM) == {}
    assert written(made, Side.MARKETING) == to_marketing
    assert [hold.field for hold in made.holds] == held
    both_changed = crm != ("0", None) and marketing != ("0", None)
    assert len(made.conflicts) == both_changed


# --- what came of our own writes


def a_record(old: str | None, new: str | None, field: str = "phone", source: str = "Web service API") -> ChangeRecord:
    return ChangeRecord("g", person_key(), datetime(2026, 3, 1, tzinfo=UTC), field, old, new, source)


def after_our_write(
    present: Value,
    *records: ChangeRecord,
    is_create: bool = False,
    is_complete: bool = True,
    crm_now: Value = "ours",
) -> Subject:
    """A subject whose link says that marketing took "ours" for a phone, where a reading shows `present`."""
    before = None if is_create else "old"
    sent = SentWrite(17, is_create, (a_write("telephone1", before, "ours"),))
    link = a_link(in_crm(telephone1="ours"), in_marketing(phone="ours"))
    return subject(
        link,
        in_crm(telephone1=crm_now),
        in_marketing(phone=present),
        sent=(sent,),
        records=records,
        is_complete=is_complete,
    )


@pytest.mark.parametrize("is_create", [True, False])
def test_r1_our_own_write_comes_back_confirms_itself_and_merges_to_nothing(is_create: bool) -> None:
    made = planned(after_our_write("ours", is_create=is_create))
    assert (made.actions, made.conflicts, made.holds) == ((), (), ())
    assert made.confirmed == (17,)


def test_a_write_stays_unconfirmed_until_the_log_can_bring_no_more_news_of_it() -> None:
    made = planned(after_our_write("ours", is_complete=False))
    assert (made.actions, made.confirmed) == ((), ())


def test_a_field_that_nobody_can_judge_yet_is_looked_at_again_and_delays_no_other() -> None:
    given = after_our_write("our", is_complete=False)
    edited = replace(given, crm=in_crm(telephone1="ours", firstname="Augusta"))
    made = plan_pass([edited], rules())
    assert [(ref, seconds) for ref, seconds in made.deferred] == [(ref, 5.0) for ref in given.refs]
    (link,) = made.links
    assert written(link, Side.MARKETING) == {"firstName": "Augusta"}
    assert (link.consumed, link.confirmed, written(link, Side.CRM)) == ((), (), {})
    assert half_of(link, Side.MARKETING, "telephone1") == ("ours",)


def test_a_persons_edit_after_our_write_goes_to_crm() -> None:
    made = planned(after_our_write("theirs", a_record("old", "ours"), a_record("ours", "theirs", source="Lead update")))
    assert written(made, Side.CRM) == {"telephone1": "theirs"}
    assert (made.conflicts, made.confirmed) == ((), (17,))


def test_a_value_that_marketing_narrowed_is_its_base_and_goes_nowhere() -> None:
    made = planned(after_our_write("our"))
    assert (made.actions, made.confirmed, made.changes_link) == ((), (17,), True)
    assert (half_of(made, Side.CRM, "telephone1"), half_of(made, Side.MARKETING, "telephone1")) == (("ours",), ("our",))
    (conflict,) = made.conflicts
    assert (conflict.kind, conflict.crm, conflict.marketing) == (ConflictKind.NARROWED, "ours", "our")


def test_a_write_that_marketing_refused_is_held_and_not_taken_for_an_edit() -> None:
    """Both values are recorded, and from now on each is its own side's half: neither looks like an edit later."""
    made = planned(after_our_write("old"))
    assert (made.actions, made.confirmed) == ((), (17,))
    assert [(c.kind, c.field, c.crm, c.marketing) for c in made.conflicts] == [
        (ConflictKind.REFUSED, PHONE, "ours", "old")
    ]
    assert [hold.field for hold in made.holds] == [PHONE]
    assert made.changes_link
    place = small_mappings()[CONTACT].names.index(PHONE)
    assert (made.base.crm[place], made.base.marketing[place]) == ("ours", "old")


OVERTAKING = a_record("theirs", "ours")


@pytest.mark.parametrize(
    ("winner", "records", "present", "to_crm", "to_marketing", "held", "prevails"),
    [
        (Winner.CRM, [OVERTAKING], "ours", {}, {}, [], Winner.CRM),
        (Winner.MARKETING, [OVERTAKING], "ours", {"telephone1": "theirs"}, {"phone": "theirs"}, [], Winner.MARKETING),
        (Winner.HOLD, [OVERTAKING], "ours", {}, {}, [PHONE], Winner.HOLD),
        (Winner.MARKETING, [a_record(None, "ours")], "ours", {}, {}, [PHONE], Winner.HOLD),
        (
            Winner.MARKETING,
            [OVERTAKING, a_record("ours", "later", source="Lead update")],
            "later",
            {"telephone1": "later"},
            {},
            [],
            Winner.CRM,
        ),
    ],
)
def test_r3_what_a_person_typed_just_before_our_write_is_recorded_and_restored_where_marketing_wins(
    winner: Winner,
    records: list[ChangeRecord],
    present: Value,
    to_crm: dict[str, Value],
    to_marketing: dict[str, Value],
    held: list[str],
    prevails: Winner,
) -> None:
    made = planned(after_our_write(present, *records), policies=policies(winner))
    assert (written(made, Side.CRM), written(made, Side.MARKETING)) == (to_crm, to_marketing)
    assert [hold.field for hold in made.holds] == held
    (conflict,) = made.conflicts
    assert (conflict.kind, conflict.crm, conflict.marketing) == (ConflictKind.OVERTAKEN, "ours", records[0].old)
    assert conflict.winner is prevails
    assert made.confirmed == (17,)


def test_a_restored_text_meets_crms_own_newer_edit_as_any_edit_does() -> None:
    made = planned(after_our_write("ours", OVERTAKING, crm_now="newer"), policies=policies(Winner.MARKETING))
    assert written(made, Side.CRM) == {"telephone1": "theirs"}
    assert written(made, Side.MARKETING) == {"phone": "theirs"}
    assert {(c.kind, c.crm, c.marketing) for c in made.conflicts} == {
        (ConflictKind.OVERTAKEN, "ours", "theirs"),
        (ConflictKind.BOTH_CHANGED, "newer", "theirs"),
    }


def test_a_restored_text_that_crm_cannot_spell_is_held() -> None:
    pair = FieldPair("leadsourcecode", "leadSource", Choice({1: "Web", 2: "Fair"}))
    mapping = compile_mapping(CONTACT, PERSON, [pair], key_field="crmKey")
    number = in_crm().read_number
    link = replace(ada_linked(), base=Base((1,), ("Web",)))
    given = Subject(
        CONTACT,
        link,
        State(crm_key(), number, (1,)),
        State(person_key(), number, ("Web", "c1")),
        sent=(
            SentWrite(17, False, (replace(a_write("telephone1", "Fair", "Web"), pair=pair.name, field="leadSource"),)),
        ),
        records=(a_record("Other", "Web", "leadSource"),),
    )
    used = Rules("test", {CONTACT: mapping}, {CONTACT: EntityPolicy(Winner.MARKETING)})
    (made,) = plan_pass([given], used).links
    assert made.actions == ()
    assert [hold.field for hold in made.holds] == [pair.name]
    assert [conflict.kind for conflict in made.conflicts] == [ConflictKind.OVERTAKEN]


def test_an_edit_of_a_one_way_field_just_before_our_write_is_recorded_only() -> None:
    write = a_write("@type", "Lead", "Contact")
    given = subject(
        ada_linked(),
        in_crm(),
        in_marketing(),
        sent=(SentWrite(17, False, (write,)),),
        records=(a_record("Friend", "Contact", "crmType"),),
    )
    made = planned(given, policies=policies(Winner.MARKETING))
    assert (made.actions, made.holds) == ((), ())
    assert [(c.kind, c.marketing) for c in made.conflicts] == [(ConflictKind.OVERTAKEN, "Friend")]


@pytest.mark.parametrize("pair", ["telephone1|phone", "dropped|gone"])
def test_a_write_whose_field_has_moved_on_or_left_the_mapping_is_confirmed_without_a_word(pair: str) -> None:
    write = replace(a_write("telephone1", "old", "ours"), pair=pair)
    given = subject(ada_linked(), in_crm(), in_marketing(), sent=(SentWrite(17, False, (write,)),))
    made = planned(given)
    assert (made.actions, made.conflicts, made.holds, made.confirmed) == ((), (), (), (17,))


# --- deletions


def test_n61_a_person_whose_record_was_deleted_in_crm_is_flagged_and_stays() -> None:
    link = ada_linked()
    made = planned(subject(link, gone(crm_key()), in_marketing()))
    assert written(made, Side.MARKETING) == {"crmIsDeleted": True}
    assert the_action(made).kind is ActionKind.UPDATE
    assert (made.status, made.base, made.conflicts) == (LinkStatus.LIVE, link.base, ())
    assert (made.crm_version, made.changes_link) == (None, True), "or the flag's echo takes the base for the record"


def test_once_the_flag_is_there_the_link_is_a_tombstone() -> None:
    made = planned(subject(ada_linked(), gone(crm_key()), in_marketing(crmIsDeleted=True)))
    assert (made.status, made.actions, made.changes_link) == (LinkStatus.TOMBSTONE, (), True)


FLAGGED = a_link(in_crm("c1", CONTACT, "v1", **{"@deleted": True}), in_marketing(crmIsDeleted=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (subject(ada_linked(), gone(crm_key()), in_marketing()), True),
        (subject(ada_linked(), gone(crm_key()), in_marketing(crmIsDeleted=True)), True),
        (subject(FLAGGED, gone(crm_key()), in_marketing(crmIsDeleted=True)), False),
        (subject(ada_linked(), in_crm(), gone(person_key())), True),
        (subject(a_link(in_crm()), gone(crm_key())), True),
        (subject(ada_linked(), in_crm(), in_marketing(crmIsDeleted=True)), False),
        (subject(None, in_crm(), None, candidates=(in_marketing(key=None, crmIsDeleted=None),)), False),
        (subject(crm=in_crm()), False),
        (replace(subject(replace(ada_linked(), status=LinkStatus.TOMBSTONE)), refs=()), False),
    ],
    ids=[
        "gone in crm",
        "gone in crm, and somebody flagged the person",
        "the tombstone after our flag",
        "gone in marketing",
        "gone before it was carried over",
        "a flag that is taken back",
        "the first no of a person that is linked",
        "a new person",
        "a tombstone that is looked at again",
    ],
)
def test_a_deletion_counts_for_the_guard_once_where_it_is_first_acted_on(given: Subject, expected: bool) -> None:
    (made,) = plan_pass([given], rules()).links
    assert made.is_deletion is expected


def test_a_flag_that_was_rejected_is_not_sent_again() -> None:
    rejected = {"@deleted|crmIsDeleted": True}
    made = planned(subject(ada_linked(), gone(crm_key()), in_marketing(), rejected=rejected))
    assert made.actions == ()
    assert [hold.field for hold in made.holds] == ["@deleted|crmIsDeleted"]


def test_where_policy_ignores_deletions_or_there_is_no_flag_nothing_is_written() -> None:
    ignoring = {**small_policies(), CONTACT: EntityPolicy(Winner.CRM, deleted_in_crm=DeleteRule.IGNORE)}
    made = planned(subject(ada_linked(), gone(crm_key()), in_marketing()), policies=ignoring)
    assert (made.status, made.actions) == (LinkStatus.TOMBSTONE, ())
    account, company = in_crm("a1", ACCOUNT, name="Contoso"), in_marketing(entity=ACCOUNT)
    made = planned(subject(a_link(account, company, entity=ACCOUNT), gone(account.key), company))
    assert (made.status, made.actions) == (LinkStatus.TOMBSTONE, ())


def test_r3_an_edit_in_marketing_that_meets_a_deletion_is_recorded() -> None:
    marketing = in_marketing(phone="1", crmType="Friend")
    made = planned(subject(ada_linked(), gone(crm_key()), marketing))
    expected = Conflict(
        ConflictKind.DELETED, PHONE, None, None, None, "1", Winner.HOLD, "edited in marketing, deleted in crm"
    )
    assert made.conflicts == (expected,)


def test_n63_a_person_deleted_in_marketing_leaves_its_record_alone() -> None:
    link = ada_linked()
    made = planned(subject(link, in_crm(), gone(person_key())))
    assert (made.status, made.actions, made.conflicts, made.changes_link) == (LinkStatus.TOMBSTONE, (), (), True)
    assert [hold.field for hold in made.holds] == [None]
    assert "deleted in marketing" in made.holds[0].reason


def test_r3_an_edit_in_crm_that_meets_a_deletion_is_recorded_and_nobody_is_created() -> None:
    made = planned(subject(ada_linked(), in_crm(telephone1="1"), gone(person_key())))
    assert made.actions == ()
    assert [(c.kind, c.field, c.crm, c.marketing) for c in made.conflicts] == [(ConflictKind.DELETED, PHONE, "1", None)]


def test_a_field_without_a_base_was_edited_by_nobody_when_it_is_deleted() -> None:
    link = replace(ada_linked(), base=Base.unknown(9))
    assert planned(subject(link, in_crm(telephone1="1"), gone(person_key()))).conflicts == ()


def test_a_merged_person_is_named_by_its_survivor() -> None:
    made = planned(subject(ada_linked(), in_crm(), gone(person_key(), merged_into="9")))
    assert made.status is LinkStatus.TOMBSTONE
    assert "merged into person 9" in made.holds[0].reason


def test_a_link_whose_ends_are_both_gone_is_a_tombstone() -> None:
    made = planned(subject(ada_linked(), gone(crm_key()), gone(person_key())))
    assert (made.status, made.actions, made.conflicts) == (LinkStatus.TOMBSTONE, (), ())


def test_a_link_that_followed_a_merge_has_the_survivor_as_its_end() -> None:
    made = planned(subject(ada_linked(), in_crm(), in_marketing("9", phone="1")))
    assert made.marketing == person_key("9")
    assert written(made, Side.CRM) == {"telephone1": "1"}
    assert made.changes_link


def test_r4_a_survivor_that_another_record_is_being_linked_to_is_waited_for() -> None:
    survivor = in_marketing("9", key=None)
    other = subject(None, in_crm("c2"), candidates=(survivor,))
    moving = subject(ada_linked(), in_crm(), survivor)
    made = plan_pass([other, moving], Rules("test", MAPPINGS, small_policies(), retry_s=5.0))
    assert [link.crm for link in made.links] == [crm_key("c2")]
    assert made.deferred == tuple((ref, 5.0) for ref in moving.refs)


def test_r7_news_of_a_tombstoned_link_calls_for_no_action() -> None:
    link = replace(ada_linked(), status=LinkStatus.TOMBSTONE)
    for given in (
        subject(link, in_crm(telephone1="1"), in_marketing(phone="2")),
        subject(link, in_crm(telephone1="1"), None),
        subject(link, None, in_marketing(phone="2")),
    ):
        made = plan_pass([given], Rules("test", MAPPINGS, small_policies()))
        assert made.is_empty
        assert all(planned_link.status is LinkStatus.TOMBSTONE for planned_link in made.links)
        assert not made.deferred


# --- the base of a lead as its contact takes it over


LEAD_STATUS, CONTACT_STATUS = Choice({0: "Open", 1: "Qualified"}), Choice({0: "Active", 1: "Inactive"})


def test_a_base_goes_over_pair_by_pair_and_what_is_new_starts_without() -> None:
    name, phone, fax = (FieldPair(n, n, Identity()) for n in ("name", "phone", "fax"))
    other_field = FieldPair("fax", "otherFax", Identity())
    lead, contact = (
        compile_mapping(LEAD, PERSON, [name, fax, phone], key_field="crmKey"),
        compile_mapping(CONTACT, PERSON, [phone, other_field, name], key_field="crmKey"),
    )
    base = Base(("Ada", "9", UNKNOWN), ("Ada", "9", UNKNOWN))
    assert convert_base(base, lead, contact) == Base((UNKNOWN, UNKNOWN, "Ada"), (UNKNOWN, UNKNOWN, "Ada"))


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ((0, "Open"), (None, "Open")),
        ((1, "Inactive"), (1, "Inactive")),
        ((1, "Active"), (0, "Active")),
        ((UNKNOWN, UNKNOWN), (UNKNOWN, UNKNOWN)),
    ],
)
def test_a_column_that_spells_differently_in_the_two_tables_starts_in_step_with_marketing(
    base: tuple[Value, Value], expected: tuple[Value, Value]
) -> None:
    old, new = (
        compile_mapping(entity, PERSON, [FieldPair("statecode", "status", labels)], key_field="crmKey")
        for entity, labels in ((LEAD, LEAD_STATUS), (CONTACT, CONTACT_STATUS))
    )
    assert convert_base(Base(base[:1], base[1:]), old, new) == Base(expected[:1], expected[1:])
