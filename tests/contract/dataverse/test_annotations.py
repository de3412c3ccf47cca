"""Sheet sections 2.2, 3.1 and 3.2: annotations, counts with their ceilings, and how much an answer says of itself."""

from typing import Any

import pytest

from tests.contract.dataverse.client import InProcess

ALL = 'odata.include-annotations="*"'
FORMATTED = "OData.Community.Display.V1.FormattedValue"
CRM = "Microsoft.Dynamics.CRM"


def row_of(org: InProcess, entity_set: str, columns: str, **values: Any) -> dict[str, Any]:
    key = org.create(entity_set, **values)
    return org.get(f"{entity_set}({key})?$select={columns}", Prefer=ALL).body


def text(row: dict[str, Any], column: str) -> str:
    found: str = row[f"{column}@{FORMATTED}"]
    return found


# Formatted values (3.1).


def test_a_choice_reads_as_its_label_and_a_yes_no_as_its_own(org: InProcess) -> None:
    row = row_of(org, "contacts", "statecode,gendercode,donotemail", lastname="A", gendercode=2, donotemail=True)
    assert (text(row, "statecode"), text(row, "gendercode")) == ("Active", "Female")
    assert text(row, "donotemail") == "Do Not Allow"


def test_an_amount_has_the_currency_of_its_row(org: InProcess) -> None:
    org.set("/privileges", grant=["prvCreateTransactionCurrency"])
    names = {"currencyname": "Euro", "isocurrencycode": "EUR", "currencysymbol": "€"}
    euro = org.create("transactioncurrencies", **names, exchangerate=0.5)
    bind = {"transactioncurrencyid@odata.bind": f"transactioncurrencies({euro})"}
    row = row_of(org, "accounts", "revenue,revenue_base", name="A", revenue=1234.5, **bind)
    assert text(row, "revenue") == "€1,234.50"
    assert text(row, "revenue_base") == "$2,469.00"
    plain = row_of(org, "accounts", "revenue", name="B", revenue=1234567)
    assert text(plain, "revenue") == "$1,234,567.00"


def test_a_number_is_grouped(org: InProcess) -> None:
    assert text(
        row_of(org, "accounts", "numberofemployees", name="A", numberofemployees=1250), "numberofemployees"
    ) == ("1,250")


def test_a_time_is_shown_where_the_caller_lives(org: InProcess) -> None:
    row = row_of(org, "leads", "modifiedon,estimatedclosedate", lastname="A", estimatedclosedate="2023-04-07")
    assert text(row, "estimatedclosedate") == "4/7/2023"
    stored = row["modifiedon"]
    hour = int(stored[11:13])
    half = "PM" if hour >= 12 else "AM"
    assert text(row, "modifiedon").endswith(f" {hour % 12 or 12}:{stored[14:16]} {half}")
    org.set("/settings", user_time_zone="Asia/Tokyo")
    try:
        shown = org.get(f"leads({row['leadid']})?$select=modifiedon,estimatedclosedate", Prefer=ALL).body
    finally:
        org.set("/settings", user_time_zone="UTC")
    assert shown["modifiedon"] == stored
    assert text(shown, "modifiedon").split()[1].split(":")[0] == str((hour + 9) % 12 or 12)
    assert text(shown, "estimatedclosedate") == "4/7/2023"


def test_a_lookup_says_what_it_points_to_before_its_value(org: InProcess) -> None:
    account = org.create("accounts", name="Litware")
    bind = {"parentcustomerid_account@odata.bind": f"accounts({account})"}
    row = row_of(org, "contacts", "_parentcustomerid_value", lastname="A", **bind)
    value = "_parentcustomerid_value"
    assert row[f"{value}@{FORMATTED}"] == "Litware"
    assert row[f"{value}@{CRM}.associatednavigationproperty"] == "parentcustomerid_account"
    assert row[f"{value}@{CRM}.lookuplogicalname"] == "account"
    names = list(row)
    assert names.index(f"{value}@{CRM}.lookuplogicalname") < names.index(value)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("*", {FORMATTED, f"{CRM}.lookuplogicalname", f"{CRM}.associatednavigationproperty"}),
        ("Microsoft.Dynamics.CRM.*", {f"{CRM}.lookuplogicalname", f"{CRM}.associatednavigationproperty"}),
        (FORMATTED, {FORMATTED}),
        (f"{FORMATTED},{CRM}.lookuplogicalname", {FORMATTED, f"{CRM}.lookuplogicalname"}),
        ("Other.*", set()),
    ],
)
def test_2_2_annotations_come_as_they_were_asked_for(org: InProcess, asked: str, there: set[str]) -> None:
    key = org.create("contacts", lastname="A")
    prefer = f'odata.include-annotations="{asked}"'
    answer = org.get(f"contacts({key})?$select=_ownerid_value", Prefer=prefer)
    assert answer.headers["preference-applied"] == prefer
    assert {name.partition("@")[2] for name in answer.body if name.startswith("_ownerid_value@")} == there


def test_names_of_lookups_come_with_tracked_reads_and_their_changes_too(org: InProcess) -> None:
    """For every column that has a formatted value: they cannot be had for one (sections 3.1 and 4)."""
    prefer = f'odata.track-changes,odata.include-annotations="{FORMATTED}"'
    columns = "lastname,statecode,_transactioncurrencyid_value"
    link = list(org.pages(f"contacts?$select={columns}", Prefer=prefer))[-1]["@odata.deltaLink"]
    currency = org.get("transactioncurrencies?$select=currencyname").body["value"][0]
    bind = {"transactioncurrencyid@odata.bind": f"transactioncurrencies({currency['transactioncurrencyid']})"}
    key = org.create("contacts", lastname="Delta", **bind)
    (row,) = (row for row in org.get(link, Prefer=prefer).body["value"] if row.get("contactid") == key)
    assert text(row, "_transactioncurrencyid_value") == currency["currencyname"]
    assert text(row, "statecode") == "Active"


# Counts (3.2).


@pytest.fixture(scope="module")
def crowd(org: InProcess) -> InProcess:
    """More rows of one table than are ever counted, put there behind the service's back."""
    store = org.emulator.store
    rows = [(f"{number:08d}-0000-4000-8000-000000000000", store.next_version(), f"L{number}") for number in range(5001)]
    store.insert_many(org.emulator.schema.tables["list"], ("listid", "versionnumber", "listname"), rows)
    return org


def test_a_count_stops_at_5000_and_says_so(crowd: InProcess) -> None:
    body = crowd.get("lists?$select=listname&$top=1&$count=true", Prefer=ALL).body
    assert body["@odata.count"] == 5000
    assert body[f"@{CRM}.totalrecordcount"] == 5000
    assert body[f"@{CRM}.totalrecordcountlimitexceeded"] is True
    assert crowd.get("lists/$count").raw == b"\xef\xbb\xbf5000"
    few = crowd.get("lists?$select=listname&$count=true&$filter=listname eq 'L7'", Prefer=ALL).body
    assert (few["@odata.count"], few[f"@{CRM}.totalrecordcountlimitexceeded"]) == (1, False)


def test_without_count_the_total_is_minus_one(crowd: InProcess) -> None:
    body = crowd.get("lists?$select=listname&$top=1", Prefer=ALL).body
    assert "@odata.count" not in body
    assert body[f"@{CRM}.totalrecordcount"] == -1
    plain = crowd.get("lists?$select=listname&$top=1&$count=true").body
    assert plain["@odata.count"] == 5000
    assert f"@{CRM}.totalrecordcount" not in plain


@pytest.mark.parametrize(("asked", "size"), [("", 5000), ("odata.maxpagesize=6000", 5000), ("odata.maxpagesize=7", 7)])
def test_3_3_a_page_has_at_most_5000_rows(crowd: InProcess, asked: str, size: int) -> None:
    first = next(crowd.pages("lists?$select=listname", **({"Prefer": asked} if asked else {})))
    assert len(first["value"]) == size


def test_3_2_top_has_no_pages_and_no_more_than_5000(crowd: InProcess) -> None:
    body = crowd.get("lists?$select=listname&$top=9000").body
    assert len(body["value"]) == 5000
    assert "@odata.nextLink" not in body


# How much an answer says of itself.


def test_6_2_the_version_of_the_metadata_changes_with_it(org: InProcess) -> None:
    name = f"@{CRM}.globalmetadataversion"
    before = org.get("contacts?$top=1", Prefer=ALL).body[name]
    assert org.get("contacts?$top=1", Prefer=ALL).body[name] == before
    org.set("/schema/changed", entity="contact")
    assert org.get("contacts?$top=1", Prefer=ALL).body[name] != before


def test_without_metadata_only_the_data_and_links_stay(org: InProcess) -> None:
    for name in "AB":
        org.create("contacts", lastname=name)
    answer = org.get(
        "contacts?$select=lastname&$count=true",
        Accept="application/json;odata.metadata=none",
        Prefer="odata.maxpagesize=1",
    )
    assert answer.headers["content-type"] == "application/json; odata.metadata=none"
    assert set(answer.body) == {"@odata.count", "value", "@odata.nextLink"}
    assert set(answer.rows[0]) == {"lastname", "contactid"}


def test_with_all_metadata_a_row_says_what_and_where_it_is(org: InProcess) -> None:
    key = org.create("contacts", lastname="A")
    answer = org.get(f"contacts({key})?$select=lastname,createdon", Accept="application/json; odata.metadata=full")
    assert answer.headers["content-type"] == "application/json; odata.metadata=full"
    body = answer.body
    root = f"{org.url}/api/data/v9.2/"
    assert body["@odata.type"] == "#Microsoft.Dynamics.CRM.contact"
    assert (body["@odata.id"], body["@odata.editLink"]) == (f"{root}contacts({key})", f"contacts({key})")
    assert (body["createdon@odata.type"], body["contactid@odata.type"]) == ("#DateTimeOffset", "#Guid")
    assert body["ownerid@odata.navigationLink"] == f"{root}contacts({key})/ownerid"


def test_a_row_is_not_sent_again_while_it_has_its_version(org: InProcess) -> None:
    """Section 5.4: not when it is expanded or annotated."""
    key = org.create("contacts", lastname="A")
    etag = org.get(f"contacts({key})").headers["etag"]
    assert org.get(f"contacts({key})", If_None_Match=etag).status == 304
    assert org.get(f"contacts({key})?$expand=ownerid", If_None_Match=etag).status == 200
    assert org.get(f"contacts({key})", If_None_Match=etag, Prefer=ALL).status == 200
    org.api("PATCH", f"contacts({key})", {"lastname": "B"})
    assert org.get(f"contacts({key})", If_None_Match=etag).status == 200
