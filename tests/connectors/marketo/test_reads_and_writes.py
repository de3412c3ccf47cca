"""Reading and writing records against the emulator: what was asked, what was stored, and what a lost answer means."""

import asyncio

import pytest

from tandem.connectors.marketo.connector import MarketoConnector
from tandem.core import permissions
from tandem.core.errors import AccessError, RejectedError, SchemaChangedError, TransientError, UnknownOutcomeError
from tandem.core.permissions import Feature
from tandem.core.plan import ActionKind
from tandem.core.record import COMPANY, PERSON, SALESPERSON, Presence, RecordId, Value
from tandem.core.schema import FieldKind, NewField
from tandem.ports import Missing, Reading, Refused, Stale, Taken, Write, Written
from tests.connectors.marketo.conftest import Connect
from tests.connectors.marketo.emulator import Emulator, EmulatorClock, running

FIELDS = ["email", "firstName", "unsubscribed", "leadScore"]


def a_create(lookup: str = "email", /, **values: Value) -> Write:
    return Write(ActionKind.CREATE, None, values, lookup=lookup)


def an_update(id_: str, **values: Value) -> Write:
    return Write(ActionKind.UPDATE, RecordId(id_), values)


def stored(emulator: Emulator, name: str = "person") -> dict[str, dict[str, object]]:
    return {str(record["id"]): record for record in emulator.records(name)}


async def create_one(connector: MarketoConnector, email: str, **values: Value) -> RecordId:
    [result] = await connector.write(PERSON, [a_create(email=email, **values)])
    assert isinstance(result, Written)
    return result.id


# --- reading


async def test_records_read_by_id_are_what_the_side_holds_and_a_missing_one_is_gone(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    truth = stored(emulator)
    ids = [RecordId("999999"), *(RecordId(id_) for id_ in list(truth)[:5])]
    readings = await connector.fetch_records(PERSON, FIELDS, [*ids, ids[1]])
    assert [reading.id for reading in readings] == ids
    assert readings[0] == Reading(RecordId("999999"), presence=Presence.GONE)
    for reading in readings[1:]:
        raw = truth[reading.id]
        expected = (raw.get("email"), raw.get("firstName"), bool(raw.get("unsubscribed")), raw.get("leadScore"))
        assert (reading.presence, reading.values) == (Presence.PRESENT, expected)


async def test_any_number_of_ids_takes_one_call_for_300(connector: MarketoConnector) -> None:
    await connector.fetch_schema(PERSON)
    before = connector.calls
    readings = await connector.fetch_records(PERSON, FIELDS, [RecordId(str(number)) for number in range(1, 902)])
    assert len(readings) == 901
    assert connector.calls - before == 4


async def test_people_are_found_by_email_without_regard_to_case(connector: MarketoConnector) -> None:
    id_ = await create_one(connector, "Grace.Find@Example.com", firstName="Grace")
    found = await connector.find_records(
        PERSON, FIELDS, "email", ["grace.find@EXAMPLE.com", "nobody@example.com", None, "a,b@example.com", ""]
    )
    assert [(reading.id, reading.values[1]) for reading in found] == [(id_, "Grace")]


async def test_nothing_to_look_for_makes_no_call(connector: MarketoConnector) -> None:
    await connector.fetch_schema(PERSON)
    before = connector.calls
    assert await connector.find_records(PERSON, FIELDS, "email", [None, "", "a,b@example.com"]) == []
    assert connector.calls == before


async def test_every_page_of_a_search_is_followed_and_too_many_matches_are_halved(
    connect: Connect, emulator: Emulator
) -> None:
    connector = connect()
    await connector.create_fields(PERSON, [NewField("townCode", "Town Code", "string")])
    for part in range(5):  # 2 towns with 625 people each: together over 1,000
        writes = [
            a_create(email=f"town{part}.{number}@example.com", townCode=f"T{number % 2}") for number in range(250)
        ]
        assert all(isinstance(result, Written) for result in await connector.write(PERSON, writes))
    emulator.control("counters/reset", {})
    found = await connector.find_records(PERSON, ["townCode"], "townCode", ["T0", "T1"])
    assert len(found) == len({reading.id for reading in found}) == 1250
    assert emulator.counters()["requests"]["leads.query"] == 1 + 3 + 3


async def test_companies_and_sales_persons_are_found_by_their_keys(connector: MarketoConnector) -> None:
    companies = await connector.write(
        COMPANY, [a_create("externalCompanyId", externalCompanyId="c-1", company="Ærø & Co, Ltd")]
    )
    people = await connector.write(
        SALESPERSON, [a_create("externalSalesPersonId", externalSalesPersonId="u-1", email="rep@example.com")]
    )
    assert isinstance(companies[0], Written)
    assert isinstance(people[0], Written)
    [company] = await connector.find_records(COMPANY, ["company"], "externalCompanyId", ["C-1", "c-1", "c-2"])
    [person] = await connector.find_records(SALESPERSON, ["email"], "externalSalesPersonId", ["u-1"])
    assert (company.id, company.values) == (companies[0].id, ("Ærø & Co, Ltd",))
    assert (person.id, person.values) == (people[0].id, ("rep@example.com",))
    [by_id, gone] = await connector.fetch_records(COMPANY, ["company"], [company.id, RecordId("424242")])
    assert (by_id.values, gone.presence) == (company.values, Presence.GONE)


async def test_an_unknown_field_is_named_and_asks_for_a_new_mapping(connector: MarketoConnector) -> None:
    with pytest.raises(SchemaChangedError, match="shoeSize"):
        await connector.fetch_records(PERSON, ["shoeSize"], [RecordId("1")])


# --- writing


async def test_creates_and_updates_arrive_and_null_clears(connector: MarketoConnector, emulator: Emulator) -> None:
    first, second = await connector.write(
        PERSON,
        [a_create(email="w1@example.com", firstName="Ann", unsubscribed=True), a_create(email="w2@example.com")],
    )
    assert isinstance(first, Written)
    assert isinstance(second, Written)
    results = await connector.write(
        PERSON, [an_update(second.id, firstName="Bo"), an_update(first.id, firstName=None, leadScore=7)]
    )
    assert results == [Written(second.id), Written(first.id)]
    truth = stored(emulator)
    assert truth[second.id]["firstName"] == "Bo"
    assert (truth[first.id].get("firstName"), truth[first.id]["leadScore"]) == (None, 7)
    assert truth[first.id]["unsubscribed"] is True


async def test_results_stand_in_the_order_of_the_writes_with_their_own_fates(connector: MarketoConnector) -> None:
    id_ = await create_one(connector, "fates@example.com")
    results = await connector.write(
        PERSON,
        [an_update("888888", firstName="x"), an_update(id_, leadScore="not a number"), an_update(id_, firstName="y")],
    )
    missing, refused, written = results
    assert missing == Missing()
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("1003", "leadScore")
    assert written == Written(id_)


async def test_a_create_whose_key_is_taken_makes_no_twin(connector: MarketoConnector, emulator: Emulator) -> None:
    await create_one(connector, "taken@example.com")
    results = await connector.write(PERSON, [a_create(email="TAKEN@example.com", firstName="Twin")])
    assert results == [Taken()]
    people = [raw for raw in emulator.records("person") if str(raw.get("email")).lower() == "taken@example.com"]
    assert len(people) == 1
    key = a_create("externalCompanyId", externalCompanyId="c-taken", company="One")
    assert isinstance((await connector.write(COMPANY, [key]))[0], Written)
    assert await connector.write(COMPANY, [key]) == [Taken()]


async def test_companies_are_updated_by_id(connector: MarketoConnector, emulator: Emulator) -> None:
    [made] = await connector.write(COMPANY, [a_create("externalCompanyId", externalCompanyId="c-up", company="Old")])
    assert isinstance(made, Written)
    results = await connector.write(COMPANY, [an_update(made.id, company="New"), an_update("777777", company="No")])
    assert results == [Written(made.id), Missing()]
    assert stored(emulator, "company")[made.id]["company"] == "New"


async def test_one_write_is_one_call(connector: MarketoConnector, emulator: Emulator) -> None:
    emulator.control("counters/reset", {})
    await connector.write(PERSON, [a_create(email=f"batch{number}@example.com") for number in range(300)])
    counted = emulator.counters()
    assert (counted["requests"]["leads.sync"], counted["records_written"]) == (1, 300)


async def test_a_batch_over_a_megabyte_goes_in_part_and_the_rest_is_planned_again(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    emulator.control("counters/reset", {})
    notes = "n" * 20_000
    results = await connector.write(
        PERSON, [a_create(email=f"long{number}@example.com", mktoPersonNotes=notes) for number in range(60)]
    )
    sent = [result for result in results if isinstance(result, Written)]
    assert len(results) == 60
    assert 0 < len(sent) < 60
    assert results[len(sent) :] == [Stale()] * (60 - len(sent))
    counted = emulator.counters()
    assert (counted["requests"]["leads.sync"], counted["records_written"]) == (1, len(sent))


# --- faults


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "reset"])
async def test_a_write_whose_answer_is_lost_is_unknown_and_not_repeated(
    connector: MarketoConnector, emulator: Emulator, action: str
) -> None:
    emulator.control("counters/reset", {})
    emulator.fault("leads.sync", action)
    with pytest.raises(UnknownOutcomeError) as caught:
        await connector.write(PERSON, [a_create(email=f"lost.{action}@example.com")])
    assert "example.com" not in str(caught.value)
    assert emulator.counters()["requests"]["leads.sync"] == 1
    landed = [raw for raw in emulator.records("person") if raw.get("email") == f"lost.{action}@example.com"]
    assert len(landed) == (1 if action == "drop_after" else 0)


@pytest.mark.parametrize("code", ["604", "502"])
async def test_a_write_that_ran_out_of_time_is_unknown(
    connector: MarketoConnector, emulator: Emulator, code: str
) -> None:
    emulator.fault("leads.sync", "body", body={"code": code})
    with pytest.raises(UnknownOutcomeError):
        await connector.write(PERSON, [a_create(email=f"late{code}@example.com")])


@pytest.mark.parametrize("code", ["606", "608", "611", "614", "615", "713"])
async def test_a_busy_marketo_is_asked_again_and_every_call_counts(
    connector: MarketoConnector, emulator: Emulator, code: str
) -> None:
    await connector.fetch_schema(COMPANY)
    before = connector.calls
    emulator.fault("leads.sync", "body", body={"code": code}, times=2)
    [result] = await connector.write(PERSON, [a_create(email=f"busy{code}@example.com")])
    assert isinstance(result, Written)
    assert connector.calls - before == 3


async def test_a_marketo_that_stays_busy_is_left_for_later(connector: MarketoConnector, emulator: Emulator) -> None:
    emulator.fault("leads.sync", "body", body={"code": "608"}, times=None)
    with pytest.raises(TransientError):
        await connector.write(PERSON, [a_create(email="never@example.com")])
    assert not [raw for raw in emulator.records("person") if raw.get("email") == "never@example.com"]


@pytest.mark.parametrize("code", ["601", "602"])
async def test_a_refused_token_is_renewed_once(connector: MarketoConnector, emulator: Emulator, code: str) -> None:
    await connector.fetch_identity()
    emulator.control("counters/reset", {})
    emulator.fault("leads.sync", "body", body={"code": code})
    [result] = await connector.write(PERSON, [a_create(email=f"token{code}@example.com")])
    assert isinstance(result, Written)
    counted = emulator.counters()["requests"]
    assert (counted["token"], counted["leads.sync"]) == (1, 2)


async def test_a_spent_quota_stops_at_once_until_midnight(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    emulator.fault("leads.sync", "body", body={"code": "607"})
    with pytest.raises(TransientError) as caught:
        await connector.write(PERSON, [a_create(email="quota@example.com")])
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 24 * 3600
    assert clock.slept == []


async def test_a_read_that_takes_marketo_too_long_is_halved(connector: MarketoConnector, emulator: Emulator) -> None:
    people = [RecordId(str(raw["id"])) for raw in emulator.records("person")[:40]]
    await connector.fetch_schema(PERSON)
    emulator.control("counters/reset", {})
    emulator.fault("leads.query", "body", body={"code": "604"}, times=5)
    readings = await connector.fetch_records(PERSON, FIELDS, people)
    assert [reading.presence for reading in readings] == [Presence.PRESENT] * 40
    assert emulator.counters()["requests"]["leads.query"] == 5 + 2


async def test_after_a_spent_quota_no_call_is_made_until_midnight_us_central(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    id_ = await create_one(connector, "after.quota@example.com")
    emulator.fault("leads.sync", "body", body={"code": "607"})
    with pytest.raises(TransientError):
        await connector.write(PERSON, [an_update(id_, firstName="Later")])
    emulator.control("counters/reset", {})
    with pytest.raises(TransientError) as caught:
        await connector.fetch_records(PERSON, FIELDS, [id_])
    assert emulator.counters()["requests_total"] == 0
    assert connector.budget.calls_left == 0
    clock.advance((caught.value.retry_after_s or 0) + 1)
    [reading] = await connector.fetch_records(PERSON, FIELDS, [id_])
    assert reading.presence is Presence.PRESENT


@pytest.mark.parametrize(("code", "pause_s"), [("606", 5.0), ("615", 1.0)])
async def test_when_one_call_is_too_fast_no_other_begins_for_a_while(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock, code: str, pause_s: float
) -> None:
    await connector.fetch_schema(PERSON)
    emulator.fault("leads.query", "body", body={"code": code})
    before = clock.now()
    await connector.fetch_records(PERSON, FIELDS, [RecordId("1")])
    assert (clock.now() - before).total_seconds() >= pause_s


async def test_what_others_use_is_known_and_shortens_our_share(connect: Connect, emulator: Emulator) -> None:
    day = [{"date": "2026-03-04", "total": 990, "users": [{"userId": "other@example.com", "count": 990}]}]
    answer = {"requestId": "1#1", "success": True, "result": day}
    emulator.fault("stats.usage", "body", status=200, body=answer)
    connector = connect(daily_share=500, daily_calls=1_000, reserve=2)
    await connector.fetch_schema(COMPANY)
    budget = connector.budget
    assert (budget.calls_of_others, budget.calls_left) == (990, 1_000 - 2 - 990 - budget.calls_used_today)


async def test_a_read_survives_lost_answers_and_short_pages(connector: MarketoConnector, emulator: Emulator) -> None:
    id_ = await create_one(connector, "survivor@example.com", firstName="Eve")
    emulator.fault("leads.query", "drop_after", times=1)
    emulator.fault("leads.query", "body", body={"code": "611"}, times=1)
    [reading] = await connector.fetch_records(PERSON, ["firstName"], [id_])
    assert reading.values == ("Eve",)


async def test_the_share_of_the_day_is_never_exceeded(connect: Connect, emulator: Emulator) -> None:
    first = connect(daily_share=1_000_000)
    await first.fetch_schema(PERSON)
    spent = first.budget.calls_used_today
    assert spent >= 3
    # What the side counts is told without the call that asks, so a second process counts that one on top.
    connector = connect(daily_share=spent + 4)
    emulator.control("counters/reset", {})
    await connector.fetch_schema(PERSON)  # the usage and two descriptions: one call is left
    await connector.fetch_records(PERSON, FIELDS, [RecordId("1")])
    with pytest.raises(TransientError) as caught:
        await connector.fetch_records(PERSON, FIELDS, [RecordId("1")])
    assert caught.value.code == "budget"
    assert emulator.counters()["requests_total"] == 4


async def test_a_subscription_without_usage_statistics_is_no_obstacle(
    connector: MarketoConnector, emulator: Emulator
) -> None:
    emulator.fault("stats.usage", "body", body={"code": "603"}, times=None)
    assert (await connector.fetch_schema(COMPANY)).fields


async def test_under_the_published_limits_no_call_is_ever_refused_for_its_rate() -> None:
    with running(0) as emulator:
        clock = EmulatorClock(emulator)
        connector = MarketoConnector(
            url=emulator.url,
            client_id=emulator.client_id,
            client_secret=emulator.client_secret,
            clock=clock,
            daily_share=10_000,
            calls_per_20_s=100,
            max_concurrent=1,  # while one call waits, its clock jumps: no other may be on its way
        )
        await connector.fetch_records(PERSON, FIELDS, [RecordId(str(number)) for number in range(1, 300 * 250)])
        await connector.close()
        assert emulator.counters()["requests"]["leads.query"] == 250
        assert clock.slept


# --- signing in, and what the role allows


async def test_many_calls_at_once_sign_in_once(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    await connector.fetch_schema(SALESPERSON)
    clock.advance(4000)
    emulator.control("counters/reset", {})
    await asyncio.gather(*(connector.find_records(SALESPERSON, ["email"], "id", [number]) for number in range(10)))
    assert emulator.counters()["requests"]["token"] == 1


async def test_a_token_is_renewed_before_it_ends(
    connector: MarketoConnector, emulator: Emulator, clock: EmulatorClock
) -> None:
    await connector.find_records(COMPANY, ["company"], "id", [1])
    emulator.control("counters/reset", {})
    clock.advance(3600 - 30)
    await connector.find_records(COMPANY, ["company"], "id", [1])
    clock.advance(60)
    await connector.find_records(COMPANY, ["company"], "id", [1])
    counted = emulator.counters()["requests"]
    # The first renewal finds the same token, nearly spent; no call is ever refused for it.
    assert 1 <= counted["token"] <= 2
    assert counted["companies.query"] == 2


@pytest.mark.parametrize(("setting", "word"), [("client_id", "unauthorized"), ("client_secret", "invalid_client")])
async def test_a_wrong_credential_is_one_clear_sentence_without_the_secret(
    connect: Connect, setting: str, word: str
) -> None:
    connector = connect(**{setting: "wrong-value-of-mine"})
    with pytest.raises(AccessError, match=word) as caught:
        await connector.fetch_identity()
    assert "wrong-value-of-mine" not in str(caught.value)
    [line] = await connector.check_access([PERSON])
    assert (line.is_ok, "client_id" in line.remedy) == (False, True)


async def test_the_identity_pins_the_subscription(connector: MarketoConnector, emulator: Emulator) -> None:
    identity = await connector.fetch_identity()
    assert identity["munchkin_id"] == emulator.munchkin_id
    assert "@" in identity["scope"]


FEATURES = (
    Feature("people", "people", marketing=(permissions.PERSON, permissions.ACTIVITY)),
    Feature("companies", "companies", marketing=(permissions.COMPANY,)),
    Feature("owners", "owners", marketing=(permissions.SALES_PERSON,)),
    Feature("fields", "fields", marketing=(permissions.NEW_FIELDS,), is_required=False),
    Feature("types", "types", marketing=(permissions.CUSTOM_OBJECT_TYPE,), is_required=False),
)


async def test_check_finds_everything_in_order(connector: MarketoConnector, emulator: Emulator) -> None:
    people = emulator.records("person")
    lines = await connector.check_access([PERSON, COMPANY, SALESPERSON], FEATURES)
    assert len(lines) == 1 + 3 + len(FEATURES)
    assert all(line.is_ok and not line.remedy for line in lines)
    assert emulator.records("person") == people


@pytest.mark.parametrize(
    ("revoked", "failing", "remedy"),
    [
        (["Read-Write Lead"], "Marketo: permissions for: people", "'Read-Write Person'"),
        (["Read-Only Activity", "Read-Write Activity"], "Marketo: permissions for: people", "'Read-Only Activity'"),
        (["Read-Write Company"], "Marketo: permissions for: companies", "'Read-Write Company'"),
        (["Read-Write Sales Person"], "Marketo: permissions for: owners", "'Read-Write Sales Person'"),
        (
            ["Read-Write Schema Standard Field", "Read-Write Schema Custom Field"],
            "Marketo: permissions for: fields",
            "'Read-Write Schema Custom Field'",
        ),
    ],
)
async def test_check_names_the_missing_permission(
    connector: MarketoConnector, emulator: Emulator, revoked: list[str], failing: str, remedy: str
) -> None:
    emulator.control("privileges", {"revoke": revoked})
    lines = await connector.check_access([PERSON, COMPANY, SALESPERSON], FEATURES)
    broken = [line for line in lines if not line.is_ok]
    assert [line.what for line in broken] == [failing]
    assert remedy in broken[0].remedy


async def test_check_explains_a_native_crm_sync(connector: MarketoConnector, emulator: Emulator) -> None:
    emulator.settings(native_crm="dynamics")
    lines = await connector.check_access([PERSON, COMPANY], FEATURES)
    broken = [line for line in lines if not line.is_ok]
    managed, refused, owners = (line.what for line in broken)
    assert managed == "Marketo: company is free of a native CRM sync"
    assert (refused, owners) == ("Marketo: permissions for: companies", "Marketo: permissions for: owners")
    assert all("1018" in line.remedy for line in broken)
    assert "native CRM sync" in broken[0].remedy


# --- shape


async def test_a_schema_tells_type_length_and_what_can_be_written(connector: MarketoConnector) -> None:
    fields = (await connector.fetch_schema(PERSON)).fields
    email, created, company = fields["email"], fields["createdAt"], fields["company"]
    assert (email.kind, email.label, email.max_length) == (FieldKind.TEXT, "Email Address", 255)
    assert (email.is_writable, email.is_searchable) == (True, True)
    assert (created.kind, created.is_writable) == (FieldKind.DATETIME, False)
    assert (company.is_readable, company.is_writable) == (True, False)
    assert fields["unsubscribed"].kind is FieldKind.BOOLEAN
    assert fields["leadScore"].kind is FieldKind.INTEGER
    companies = (await connector.fetch_schema(COMPANY)).fields
    assert companies["company"].is_writable
    assert companies["externalCompanyId"].is_searchable
    assert not companies["id"].is_writable


async def test_a_schema_is_fetched_once_a_day(connector: MarketoConnector, clock: EmulatorClock) -> None:
    await connector.fetch_schema(COMPANY)
    before = connector.calls
    await connector.fetch_schema(COMPANY)
    assert connector.calls == before
    clock.advance(24 * 3600)
    await connector.fetch_schema(COMPANY)
    assert connector.calls > before


async def test_fields_are_created_once_and_can_then_be_looked_up_by(connector: MarketoConnector) -> None:
    wanted = [NewField("petName", "Pet Name", "string"), NewField("petAge", "Pet Age", "integer")]
    await connector.create_fields(PERSON, wanted[:1])
    await connector.create_fields(PERSON, wanted)
    fields = (await connector.fetch_schema(PERSON)).fields
    assert (fields["petName"].is_searchable, fields["petAge"].kind) == (True, FieldKind.INTEGER)
    id_ = await create_one(connector, "pets@example.com", petName="Rex")
    [found] = await connector.find_records(PERSON, ["petName"], "petName", ["Rex"])
    assert found.id == id_
    [result] = await connector.write(PERSON, [a_create("petName", petName="Rex", email="other@example.com")])
    assert result == Taken()


async def test_fields_of_a_company_cannot_be_made_by_api(connector: MarketoConnector) -> None:
    with pytest.raises(RejectedError, match="Field Management"):
        await connector.create_fields(COMPANY, [NewField("x", "X", "string")])
