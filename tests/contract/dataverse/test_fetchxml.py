"""Sheet section 3.4: FetchXML, its pages and totals, and the SQL that Microsoft's Python client sends."""

from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest

from tests.contract.dataverse.client import Answer, InProcess

FORMATTED = "OData.Community.Display.V1.FormattedValue"
ALL = 'odata.include-annotations="*"'


@pytest.fixture(scope="module")
def crm(org: InProcess) -> InProcess:
    """Litware with three contacts, Contoso with one, Empty with none; all of them described as fetch."""
    for name, revenue, staff in (
        ("Litware", 300, ["Ann", "Bob", "Cid"]),
        ("Contoso", 100, ["Dan"]),
        ("Empty", None, []),
    ):
        account = org.create("accounts", name=name, description="fetch", revenue=revenue, customertypecode=3)
        for number, first in enumerate(staff):
            org.create(
                "contacts",
                firstname=first,
                lastname="Staff",
                description="fetch",
                numberofchildren=number,
                **{"parentcustomerid_account@odata.bind": f"accounts({account})"},
            )
    org.create("contacts", firstname="Eve", lastname="Free", description="fetch", gendercode=2)
    return org


def ask(crm: InProcess, set_name: str, xml: str, **headers: str) -> Answer:
    return crm.get(f"{set_name}?fetchXml={quote(xml, safe='')}", **headers)


def contacts(crm: InProcess, inner: str, fetch: str = "", **headers: str) -> list[dict[str, Any]]:
    condition = '<filter><condition attribute="description" operator="eq" value="fetch"/></filter>'
    xml = f'<fetch {fetch}><entity name="contact">{inner}{condition}</entity></fetch>'
    return ask(crm, "contacts", xml, **headers).rows


def accounts(crm: InProcess, inner: str, fetch: str = "", **headers: str) -> list[dict[str, Any]]:
    condition = '<filter><condition attribute="description" operator="eq" value="fetch"/></filter>'
    xml = f'<fetch {fetch}><entity name="account">{inner}{condition}</entity></fetch>'
    return ask(crm, "accounts", xml, **headers).rows


FIRST = '<attribute name="firstname"/><order attribute="firstname"/>'


# Columns and order.


def test_the_chosen_columns_come_with_the_key_and_nulls(crm: InProcess) -> None:
    row = contacts(crm, FIRST + '<attribute name="jobtitle"/><attribute name="parentcustomerid"/>')[0]
    assert set(row) == {"@odata.etag", "firstname", "jobtitle", "_parentcustomerid_value", "contactid"}
    assert row["jobtitle"] is None


def test_all_attributes_are_every_column(crm: InProcess) -> None:
    plain = crm.get("contacts?$top=1").rows[0]
    assert set(contacts(crm, "<all-attributes/>")[0]) == set(plain)
    assert set(contacts(crm, "")[0]) == set(plain)


def test_no_attributes_is_the_key_alone(crm: InProcess) -> None:
    assert set(contacts(crm, "<no-attrs/>")[0]) == {"@odata.etag", "contactid"}


def test_a_column_may_have_an_alias(crm: InProcess) -> None:
    assert (
        contacts(crm, '<attribute name="firstname" alias="given"/><order attribute="firstname"/>')[0]["given"] == "Ann"
    )


def test_the_context_names_the_columns(crm: InProcess) -> None:
    xml = '<fetch><entity name="contact"><attribute name="firstname"/><attribute name="contactid"/></entity></fetch>'
    context = ask(crm, "contacts", xml).body["@odata.context"]
    assert context == f"{crm.url}/api/data/v9.2/$metadata#contacts(firstname,contactid)"


def test_an_order_may_descend_and_a_choice_goes_by_its_label(crm: InProcess) -> None:
    down = contacts(crm, '<attribute name="firstname"/><order attribute="firstname" descending="true"/>')
    assert [row["firstname"] for row in down] == ["Eve", "Dan", "Cid", "Bob", "Ann"]
    for name, code in (("Zoe", 1), ("Abe", 2)):
        crm.create("leads", lastname=name, subject="labels", leadqualitycode={1: 3, 2: 1}[code])
    narrowed = '<filter><condition attribute="subject" operator="eq" value="labels"/></filter>'
    by_label = (
        f'<fetch><entity name="lead"><attribute name="leadqualitycode"/><order attribute="leadqualitycode"/>{narrowed}'
    )
    rows = ask(crm, "leads", by_label + "</entity></fetch>").rows
    assert [row["leadqualitycode"] for row in rows] == [3, 1]  # Cold before Hot
    by_number = by_label.replace("<fetch>", '<fetch useraworderby="true">')
    assert [row["leadqualitycode"] for row in ask(crm, "leads", by_number + "</entity></fetch>").rows] == [1, 3]


def test_top_is_a_number_of_rows(crm: InProcess) -> None:
    assert [row["firstname"] for row in contacts(crm, FIRST, 'top="2"')] == ["Ann", "Bob"]


def test_distinct_rows(crm: InProcess) -> None:
    rows = contacts(crm, '<attribute name="lastname"/><order attribute="lastname"/>', 'distinct="true"')
    assert [row["lastname"] for row in rows] == ["Free", "Staff"]


def test_annotations_of_fetched_rows(crm: InProcess) -> None:
    inner = '<attribute name="statecode"/><attribute name="parentcustomerid"/><order attribute="firstname"/>'
    row = contacts(crm, inner, Prefer=ALL)[0]
    assert row[f"statecode@{FORMATTED}"] == "Active"
    assert row[f"_parentcustomerid_value@{FORMATTED}"] == "Litware"
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"


# Conditions.


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('attribute="firstname" operator="eq" value="ann"', ["Ann"]),
        ('attribute="firstname" operator="ne" value="ann"', ["Bob", "Cid", "Dan", "Eve"]),
        ('attribute="firstname" operator="neq" value="ann"', ["Bob", "Cid", "Dan", "Eve"]),
        ('attribute="firstname" operator="like" value="%a%"', ["Ann", "Dan"]),
        ('attribute="firstname" operator="like" value="[a-c]__"', ["Ann", "Bob", "Cid"]),
        ('attribute="firstname" operator="not-like" value="%a%"', ["Bob", "Cid", "Eve"]),
        ('attribute="firstname" operator="begins-with" value="b"', ["Bob"]),
        ('attribute="firstname" operator="not-end-with" value="n"', ["Bob", "Cid", "Eve"]),
        ('attribute="parentcustomerid" operator="null"', ["Eve"]),
        ('attribute="parentcustomerid" operator="not-null"', ["Ann", "Bob", "Cid", "Dan"]),
        ('attribute="numberofchildren" operator="gt" value="0"', ["Bob", "Cid"]),
        ('attribute="statecode" operator="eq" value="0"', ["Ann", "Bob", "Cid", "Dan", "Eve"]),
        ('attribute="donotemail" operator="eq" value="false"', ["Ann", "Bob", "Cid", "Dan", "Eve"]),
        ('attribute="ownerid" operator="eq-userid"', ["Ann", "Bob", "Cid", "Dan", "Eve"]),
        ('attribute="createdon" operator="last-x-hours" value="1"', ["Ann", "Bob", "Cid", "Dan", "Eve"]),
        ('attribute="createdon" operator="olderthan-x-days" value="1"', []),
        ('attribute="firstname" operator="eq" valueof="lastname"', []),
        ('attribute="createdon" operator="eq" valueof="modifiedon"', ["Ann", "Bob", "Cid", "Dan", "Eve"]),
    ],
)
def test_conditions(crm: InProcess, condition: str, expected: list[str]) -> None:
    rows = contacts(crm, f"{FIRST}<filter><condition {condition}/></filter>")
    assert [row["firstname"] for row in rows] == expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("in", ["Ann", "bob"], ["Ann", "Bob"]),
        ("not-in", ["Ann", "bob"], ["Cid", "Dan", "Eve"]),
        ("between", ["Bob", "Dan"], ["Bob", "Cid", "Dan"]),
    ],
)
def test_conditions_of_several_values(crm: InProcess, operator: str, values: list[str], expected: list[str]) -> None:
    given = "".join(f"<value>{value}</value>" for value in values)
    condition = f'<filter><condition attribute="firstname" operator="{operator}">{given}</condition></filter>'
    assert [row["firstname"] for row in contacts(crm, FIRST + condition)] == expected


def test_filters_inside_filters(crm: InProcess) -> None:
    ann = '<condition attribute="firstname" operator="eq" value="Ann"/>'
    eve = '<condition attribute="firstname" operator="eq" value="Eve"/>'
    staff = '<condition attribute="lastname" operator="eq" value="Staff"/>'
    inner = f'<filter>{staff}<filter type="or">{ann}{eve}</filter></filter>'
    assert [row["firstname"] for row in contacts(crm, FIRST + inner)] == ["Ann"]


# Links.


def link(kind: str = "inner", inside: str = '<attribute name="name"/>', alias: str = 'alias="a"') -> str:
    return (
        f'<link-entity name="account" from="accountid" to="parentcustomerid" link-type="{kind}" {alias}>'
        f"{inside}</link-entity>"
    )


def test_an_inner_link_leaves_out_what_has_none(crm: InProcess) -> None:
    rows = contacts(crm, FIRST + link())
    assert [(row["firstname"], row["a.name"]) for row in rows] == [
        ("Ann", "Litware"),
        ("Bob", "Litware"),
        ("Cid", "Litware"),
        ("Dan", "Contoso"),
    ]


def test_an_outer_link_leaves_out_only_the_column(crm: InProcess) -> None:
    rows = contacts(crm, FIRST + link("outer"))
    assert [row.get("a.name") for row in rows] == ["Litware", "Litware", "Litware", "Contoso", None]
    assert "a.name" not in rows[-1]


def test_a_filter_inside_a_link_and_one_that_names_it(crm: InProcess) -> None:
    narrow = '<filter><condition attribute="name" operator="eq" value="Contoso"/></filter>'
    assert [row["firstname"] for row in contacts(crm, FIRST + link(inside=narrow))] == ["Dan"]
    outside = '<filter><condition entityname="a" attribute="name" operator="eq" value="Contoso"/></filter>'
    assert [row["firstname"] for row in contacts(crm, FIRST + link("outer") + outside)] == ["Dan"]
    none = '<filter><condition entityname="a" attribute="accountid" operator="null"/></filter>'
    assert [row["firstname"] for row in contacts(crm, FIRST + link("outer", "") + none)] == ["Eve"]


def test_a_link_without_an_alias_is_named_after_its_table(crm: InProcess) -> None:
    assert "account1.name" in contacts(crm, FIRST + link(alias=""))[0]


def test_links_inside_links_and_their_annotations(crm: InProcess) -> None:
    owner = '<link-entity name="systemuser" from="systemuserid" to="ownerid" alias="o"><attribute name="fullname"/>'
    row = contacts(crm, FIRST + link(inside=f'<attribute name="statecode"/>{owner}</link-entity>'), Prefer=ALL)[0]
    assert (row["a.statecode"], row[f"a.statecode@{FORMATTED}"]) == (0, "Active")
    assert row["o.fullname"]


def test_a_link_to_many_repeats_the_row(crm: InProcess) -> None:
    staff = '<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c"><attribute name="firstname"/>'
    rows = accounts(crm, f'<attribute name="name"/>{staff}<order attribute="firstname"/></link-entity>')
    assert [(row["name"], row["c.firstname"]) for row in rows] == [
        ("Litware", "Ann"),
        ("Litware", "Bob"),
        ("Litware", "Cid"),
        ("Contoso", "Dan"),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("any", ["Contoso", "Litware"]), ("not any", ["Empty"]), ("all", ["Contoso", "Empty"]), ("not all", ["Litware"])],
)
def test_related_rows_inside_a_filter(crm: InProcess, kind: str, expected: list[str]) -> None:
    condition = {
        "any": '<condition attribute="lastname" operator="eq" value="Staff"/>',
        "not any": '<condition attribute="lastname" operator="eq" value="Staff"/>',
        "all": '<condition attribute="numberofchildren" operator="eq" value="0"/>',
        "not all": '<condition attribute="numberofchildren" operator="eq" value="0"/>',
    }[kind]
    related = (
        f'<filter><link-entity name="contact" from="parentcustomerid" to="accountid" link-type="{kind}">'
        f"<filter>{condition}</filter></link-entity></filter>"
    )
    rows = accounts(crm, f'<attribute name="name"/><order attribute="name"/>{related}')
    assert [row["name"] for row in rows] == expected


def test_a_link_that_only_tests_does_not_repeat_the_row(crm: InProcess) -> None:
    staff = '<link-entity name="contact" from="parentcustomerid" to="accountid" link-type="exists"/>'
    rows = accounts(crm, f'<attribute name="name"/><order attribute="name"/>{staff}')
    assert [row["name"] for row in rows] == ["Contoso", "Litware"]


# Totals and groups.


def test_totals_of_all_rows(crm: InProcess) -> None:
    inner = "".join(
        f'<attribute name="{name}" alias="{alias}" aggregate="{aggregate}"/>'
        for name, alias, aggregate in (
            ("revenue", "total", "sum"),
            ("revenue", "mean", "avg"),
            ("revenue", "least", "min"),
            ("revenue", "most", "max"),
            ("accountid", "rows", "count"),
            ("revenue", "filled", "countcolumn"),
        )
    )
    row = accounts(crm, inner, 'aggregate="true"', Prefer=ALL)[0]
    assert {name: row[name] for name in ("total", "mean", "least", "most", "rows", "filled")} == {
        "total": 400.0,
        "mean": 200.0,
        "least": 100.0,
        "most": 300.0,
        "rows": 3,
        "filled": 2,
    }
    assert row[f"total@{FORMATTED}"] == "$400.00"
    assert row[f"rows@{FORMATTED}"] == "3"
    assert "@odata.etag" not in row


def test_groups_and_their_order(crm: InProcess) -> None:
    inner = (
        '<attribute name="lastname" alias="family" groupby="true"/>'
        '<attribute name="contactid" alias="members" aggregate="count"/><order alias="members" descending="true"/>'
    )
    assert contacts(crm, inner, 'aggregate="true"') == [
        {"family": "Staff", "members": 4},
        {"family": "Free", "members": 1},
    ]


def test_groups_by_parts_of_a_date_and_over_a_link(crm: InProcess) -> None:
    inner = (
        '<attribute name="createdon" alias="year" groupby="true" dategrouping="year"/>'
        '<attribute name="lastname" alias="names" aggregate="countcolumn" distinct="true"/>'
    )
    year = int(crm.get("contacts?$select=createdon&$top=1").rows[0]["createdon"][:4])
    assert contacts(crm, inner, 'aggregate="true"') == [{"year": year, "names": 2}]
    linked = link(inside='<attribute name="name" alias="company" groupby="true"/>')
    counted = f'<attribute name="contactid" alias="n" aggregate="count"/>{linked}<order alias="n"/>'
    assert contacts(crm, counted, 'aggregate="true"') == [
        {"n": 1, "company": "Contoso"},
        {"n": 3, "company": "Litware"},
    ]


# Pages.


def test_pages_go_on_from_the_cookie(crm: InProcess) -> None:
    """As the sheet says: decode the inner value twice, put it into paging-cookie, raise the page."""
    seen: list[str] = []
    fetch = 'count="2" page="1"'
    for page in range(2, 10):
        condition = '<filter><condition attribute="description" operator="eq" value="fetch"/></filter>'
        xml = f'<fetch {fetch}><entity name="contact">{FIRST}{condition}</entity></fetch>'
        body = ask(crm, "contacts", xml, Prefer=ALL).body
        seen += [row["firstname"] for row in body["value"]]
        if not body.get("@Microsoft.Dynamics.CRM.morerecords"):
            break
        outer = ElementTree.fromstring(body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
        assert (outer.attrib["pagenumber"], outer.attrib["istracking"]) == (str(page), "False")
        inner = unquote(unquote(outer.attrib["pagingcookie"]))
        parsed = ElementTree.fromstring(inner)
        assert parsed.attrib["page"] == str(page - 1)
        assert [element.tag for element in parsed] == ["firstname", "contactid"]
        fetch = f'count="2" page="{page}" paging-cookie={quoteattr(inner)}'
    assert seen == ["Ann", "Bob", "Cid", "Dan", "Eve"]


def test_the_cookie_is_encoded_as_documented(crm: InProcess) -> None:
    xml = '<fetch count="1"><entity name="contact"><attribute name="firstname"/></entity></fetch>'
    cookie = ask(crm, "contacts", xml, Prefer=ALL).body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"]
    assert cookie.startswith(
        '<cookie pagenumber="2" pagingcookie="%253ccookie%2520page%253d%25221%2522%253e%253ccontactid'
        "%2520last%253d%2522%257B"
    )
    assert cookie.endswith('%252f%253e%253c%252fcookie%253e" istracking="False" />')


def test_pages_without_a_cookie_are_counted(crm: InProcess) -> None:
    second = contacts(crm, FIRST, 'count="2" page="2"')
    assert [row["firstname"] for row in second] == ["Cid", "Dan"]


def test_a_link_to_many_has_pages_but_no_cookie(crm: InProcess) -> None:
    staff = '<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c"><attribute name="firstname"/>'
    xml = f'<fetch count="1"><entity name="account"><attribute name="name"/>{staff}</link-entity></entity></fetch>'
    body = ask(crm, "accounts", xml, Prefer=ALL).body
    assert body["@Microsoft.Dynamics.CRM.morerecords"] is True
    assert "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie" not in body


def test_the_total_is_told_on_request(crm: InProcess) -> None:
    condition = '<filter><condition attribute="description" operator="eq" value="fetch"/></filter>'
    xml = f'<fetch count="1" {{}}><entity name="contact">{condition}</entity></fetch>'
    body = ask(crm, "contacts", xml.format('returntotalrecordcount="true"'), Prefer=ALL).body
    assert body["@Microsoft.Dynamics.CRM.totalrecordcount"] == 5
    assert body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    assert ask(crm, "contacts", xml.format(""), Prefer=ALL).body["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1


# Refusals.


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("", "0x80040303"),
        ("<fetch", "0x80040303"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><fetch/>', "0x80040303"),
        ("<x/>", "0x8004111c"),
        ("<fetch/>", "0x80041123"),
        ('<fetch><entity name="nothing"/></fetch>', "0x80041102"),
        ('<fetch><entity name="account"/></fetch>', "0x80041128"),
        ('<fetch count="0"><entity name="contact"/></fetch>', "0x8004110c"),
        ('<fetch top="1" page="2"><entity name="contact"/></fetch>', "0x80041108"),
        ('<fetch page="10002" count="5"><entity name="contact"/></fetch>', "0x8004430a"),
        ('<fetch distinct="maybe"><entity name="contact"/></fetch>', "0x80041115"),
        ('<fetch><entity name="contact"><attribute name="x"/></entity></fetch>', "0x80041103"),
        ('<fetch><entity name="contact"><filter type="xor"/></entity></fetch>', "0x80041122"),
        (
            '<fetch><entity name="contact"><filter><condition attribute="firstname" operator="sounds-like" value="a"/>'
            "</filter></entity></fetch>",
            "0x80041120",
        ),
        (
            '<fetch><entity name="contact"><filter><condition attribute="createdon" operator="eq" value="soon"/>'
            "</filter></entity></fetch>",
            "0x80041139",
        ),
        (
            '<fetch><entity name="contact"><filter><condition attribute="firstname" operator="eq"/></filter></entity>'
            "</fetch>",
            "0x80041106",
        ),
        (
            '<fetch><entity name="contact"><filter><condition entityname="z" attribute="firstname" operator="null"/>'
            "</filter></entity></fetch>",
            "0x8004110a",
        ),
        ('<fetch><entity name="contact"><link-entity name="account" from="accountid"/></entity></fetch>', "0x80041111"),
        (
            '<fetch><entity name="contact"><link-entity name="account" from="accountid" to="parentcustomerid" '
            'link-type="sideways"/></entity></fetch>',
            "0x80041117",
        ),
        (
            '<fetch aggregate="true"><entity name="contact"><attribute name="firstname" aggregate="count"/></entity>'
            "</fetch>",
            "0x80041109",
        ),
        (
            '<fetch aggregate="true"><entity name="contact"><attribute name="firstname" alias="a"/></entity></fetch>',
            "0x80041137",
        ),
        (
            '<fetch aggregate="true"><entity name="contact"><attribute name="firstname" alias="a" aggregate="sum"/>'
            "</entity></fetch>",
            "0x8004112f",
        ),
        (
            '<fetch aggregate="true"><entity name="contact"><attribute name="createdon" alias="a" groupby="true" '
            'dategrouping="hour"/></entity></fetch>',
            "0x80041135",
        ),
        ('<fetch aggregate="true"><entity name="contact"/></fetch>', "0x80041107"),
        (
            '<fetch><entity name="contact"><attribute name="firstname" alias="a"/>'
            '<attribute name="lastname" alias="a"/></entity></fetch>',
            "0x80041130",
        ),
        ('<fetch><entity name="contact"><order alias="a"/></entity></fetch>', "0x80041132"),
        ('<fetch><entity name="contact"><order/></entity></fetch>', "0x80041133"),
        (
            '<fetch aggregate="true"><entity name="contact"><attribute name="firstname" alias="a" groupby="true"/>'
            '<order attribute="firstname"/></entity></fetch>',
            "0x80041134",
        ),
        (
            "<fetch page=\"1\" count=\"1\" paging-cookie=\"&lt;cookie page='1'&gt;&lt;lastname last='a' first='a' /&gt;"
            '&lt;/cookie&gt;"><entity name="contact"/></fetch>',
            "0x8004112a",
        ),
        (
            "<fetch page=\"2\" count=\"1\" paging-cookie=\"&lt;cookie page='1'&gt;&lt;lastname last='a' first='a' /&gt;"
            '&lt;/cookie&gt;"><entity name="contact"/></fetch>',
            "0x80041129",
        ),
    ],
)
def test_refusals(crm: InProcess, xml: str, code: str) -> None:
    assert ask(crm, "contacts", xml).error[:2] == (400, code)


def test_7_2_ceilings_of_links_and_conditions(crm: InProcess) -> None:
    one = '<link-entity name="account" from="accountid" to="parentcustomerid" link-type="outer"/>'
    links = f'<fetch top="1"><entity name="contact">{one * 16}</entity></fetch>'
    assert ask(crm, "contacts", links).error[:2] == (400, "0x8004430d")
    condition = '<condition attribute="statecode" operator="eq" value="0"/>'
    conditions = f'<fetch><entity name="contact"><filter>{condition * 501}</filter></entity></fetch>'
    longest = crm.get(f"contacts?fetchXml={quote(conditions, safe='')}")
    assert longest.status == 414  # the URL is too long long before
    head = b"--b\r\nContent-Type: application/http\r\n\r\nGET /api/data/v9.2/contacts?fetchXml="
    body = head + quote(conditions, safe="<>=/ ").replace(" ", "%20").encode() + b" HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    answer = crm.api("POST", "$batch", body, Content_Type="multipart/mixed; boundary=b")
    assert b"0x8004430c" in answer.raw


# Deleted rows.


def test_deleted_rows_are_read_from_the_bin_while_they_are_kept(crm: InProcess) -> None:
    crm.set("/settings", recycle_bin_days=30, token_lifetime_s=2_000_000_000)
    crm.sign_in()
    task = crm.create("tasks", subject="Gone", prioritycode=2)
    crm.create("tasks", subject="Here")
    crm.api("DELETE", f"tasks({task})")
    condition = '<filter><condition attribute="subject" operator="like" value="%e%"/></filter>'
    columns = '<attribute name="subject"/><attribute name="prioritycode"/>'
    xml = f'<fetch datasource="bin"><entity name="task">{columns}{condition}</entity></fetch>'
    (row,) = ask(crm, "tasks", xml).rows
    assert (row["activityid"], row["subject"], row["prioritycode"]) == (task, "Gone", 2)
    crm.set("/clock", advance_s=31 * 86_400)
    assert ask(crm, "tasks", xml).rows == []
    crm.set("/clock", advance_s=-31 * 86_400)
    crm.set("/settings", recycle_bin_days=0)
    assert ask(crm, "tasks", xml).rows == []


# Saved queries.


def test_a_saved_query_that_is_not_there(crm: InProcess) -> None:
    missing = "11111111-1111-1111-1111-111111111111"
    assert crm.get(f"contacts?savedQuery={missing}").error[:2] == (404, "0x80040217")
    assert crm.get(f"contacts?userQuery={missing}").error[:2] == (404, "0x80040217")


@pytest.mark.parametrize(("option", "entity_set"), [("savedQuery", "savedqueries"), ("userQuery", "userqueries")])
def test_a_saved_query_is_read_in_pages(crm: InProcess, option: str, entity_set: str) -> None:
    crm.set("/privileges", grant=["prvCreateQuery", "prvCreateUserQuery"])
    condition = '<filter><condition attribute="description" operator="eq" value="fetch"/></filter>'
    xml = f'<fetch><entity name="contact">{FIRST}{condition}</entity></fetch>'
    view = crm.create(entity_set, name="Fetched", returnedtypecode="contact", fetchxml=xml, querytype=0)
    pages = list(crm.pages(f"contacts?{option}={view}", Prefer="odata.maxpagesize=2"))
    assert [row["firstname"] for page in pages for row in page["value"]] == ["Ann", "Bob", "Cid", "Dan", "Eve"]
    assert crm.get(f"accounts?{option}={view}").error[:2] == (400, "0x80041128")


# SQL.


def sql(crm: InProcess, set_name: str, text: str, **headers: str) -> Answer:
    return crm.get(f"{set_name}?sql={quote(text, safe='')}", **headers)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("firstname = 'ann'", ["Ann"]),
        ("firstname <> 'ann' AND lastname = 'Staff'", ["Bob", "Cid", "Dan"]),
        ("numberofchildren >= 1 OR lastname = 'Free'", ["Bob", "Cid", "Eve"]),
        ("1 <= numberofchildren", ["Bob", "Cid"]),
        ("firstname LIKE 'A%'", ["Ann"]),
        ("firstname NOT LIKE '%a%'", ["Bob", "Cid", "Eve"]),
        ("firstname IN ('Ann', 'Eve')", ["Ann", "Eve"]),
        ("firstname NOT IN ('Ann', 'Eve')", ["Bob", "Cid", "Dan"]),
        ("firstname BETWEEN 'Bob' AND 'Dan'", ["Bob", "Cid", "Dan"]),
        ("parentcustomerid IS NULL", ["Eve"]),
        ("parentcustomerid IS NOT NULL AND NOT (firstname = 'Ann' OR firstname = 'Bob')", ["Cid", "Dan"]),
        ("firstname = lastname", []),
        ("statecode = 0", ["Ann", "Bob", "Cid", "Dan", "Eve"]),
    ],
)
def test_sql_conditions(crm: InProcess, where: str, expected: list[str]) -> None:
    text = f"SELECT firstname FROM contact WHERE description = 'fetch' AND ({where}) ORDER BY firstname"
    assert [row["firstname"] for row in sql(crm, "contacts", text).rows] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT TOP 2 firstname FROM contact WHERE description = 'fetch' ORDER BY firstname DESC", ["Eve", "Dan"]),
        (
            "SELECT c.firstname FROM contact c WHERE c.description = 'fetch' ORDER BY c.firstname "
            "OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
            ["Bob", "Cid"],
        ),
        (
            "SELECT c.firstname FROM contact AS c INNER JOIN account AS a ON c.parentcustomerid = a.accountid "
            "WHERE a.name = 'Contoso' AND c.description = 'fetch'",
            ["Dan"],
        ),
        (
            "SELECT c.firstname FROM contact c LEFT JOIN account a ON c.parentcustomerid = a.accountid "
            "WHERE a.name IS NULL AND c.description = 'fetch'",
            ["Eve"],
        ),
    ],
)
def test_sql_tops_offsets_and_joins(crm: InProcess, text: str, expected: list[str]) -> None:
    assert [row["firstname"] for row in sql(crm, "contacts", text).rows] == expected


def test_sql_totals_groups_and_distinct(crm: InProcess) -> None:
    joined = (
        "SELECT a.name, COUNT(c.contactid) as cnt FROM account a JOIN contact c ON a.accountid = c.parentcustomerid "
        "WHERE a.description = 'fetch' GROUP BY a.name ORDER BY cnt DESC"
    )
    assert sql(crm, "accounts", joined).rows == [{"name": "Litware", "cnt": 3}, {"name": "Contoso", "cnt": 1}]
    totals = (
        "SELECT COUNT(*) AS n, SUM(revenue) AS total, AVG(revenue) AS mean, MIN(revenue) AS least, "
        "MAX(revenue) AS most FROM account WHERE description = 'fetch'"
    )
    assert sql(crm, "accounts", totals).rows == [{"n": 3, "total": 400.0, "mean": 200.0, "least": 100.0, "most": 300.0}]
    names = sql(crm, "contacts", "SELECT DISTINCT lastname FROM contact WHERE description = 'fetch' ORDER BY lastname")
    assert [row["lastname"] for row in names.rows] == ["Free", "Staff"]


def test_sql_pages_follow_the_next_link(crm: InProcess) -> None:
    text = "SELECT firstname FROM contact WHERE description = 'fetch' ORDER BY firstname"
    target = f"contacts?sql={quote(text, safe='')}"
    pages = list(crm.pages(target, Prefer="odata.maxpagesize=2"))
    assert [row["firstname"] for page in pages for row in page["value"]] == ["Ann", "Bob", "Cid", "Dan", "Eve"]
    assert [len(page["value"]) for page in pages] == [2, 2, 1]
    joined = "SELECT c.firstname FROM account a JOIN contact c ON a.accountid = c.parentcustomerid"
    several = list(crm.pages(f"accounts?sql={quote(joined, safe='')}", Prefer="odata.maxpagesize=2"))
    assert len({row["firstname"] for page in several for row in page["value"]}) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT * FROM contact",
        "SELECT c.* FROM contact c",
        "SELECT name FROM account",
        "DELETE FROM contact",
        "SELECT firstname FROM contact; SELECT firstname FROM contact",
        "SELECT firstname FROM contact UNION SELECT lastname FROM contact",
        "SELECT lastname, COUNT(*) FROM contact GROUP BY lastname HAVING COUNT(*) > 1",
        "WITH x AS (SELECT firstname FROM contact) SELECT firstname FROM x",
        "SELECT firstname FROM contact WHERE contactid IN (SELECT contactid FROM contact)",
        "SELECT firstname FROM contact RIGHT JOIN account ON contact.parentcustomerid = account.accountid",
        "SELECT firstname FROM contact, account",
        "SELECT firstname FROM contact CROSS JOIN account",
        "SELECT UPPER(firstname) FROM contact",
        "SELECT firstname FROM contact WHERE UPPER(firstname) = 'X'",
        "SELECT firstname, COUNT(*) FROM contact",
        "SELECT nothing FROM contact",
        "SELECT firstname FROM contact WHERE nothing = 1",
        "SELECT firstname FROM contact WHERE createdon = 'soon'",
        "SELECT TOP x firstname FROM contact",
        "SELECT firstname FROM contact WHERE 1 = 1",
    ],
)
def test_sql_outside_the_subset_is_refused(crm: InProcess, text: str) -> None:
    assert sql(crm, "contacts", text).status == 400
