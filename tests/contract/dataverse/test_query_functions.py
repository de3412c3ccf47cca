"""Sheet section 3.2: query functions on the emulator's clock, lambdas, aliases, and paths of several steps."""

import pytest

from tests.contract.dataverse.client import InProcess

# Created at these moments; the clock then stands on a Thursday, 2026-01-15 at 10:00.
MOMENTS = {
    "two years ago": "2024-01-01T00:00:00Z",
    "last year": "2025-06-01T00:00:00Z",
    "last month": "2025-12-20T12:00:00Z",
    "ten days ago": "2026-01-05T08:00:00Z",
    "six days ago": "2026-01-09T12:00:00Z",
    "yesterday": "2026-01-14T23:59:59Z",
    "midnight": "2026-01-15T00:00:00Z",
    "half past nine": "2026-01-15T09:30:00Z",
    "tomorrow": "2026-01-16T00:00:00Z",
    "next month": "2026-02-10T12:00:00Z",
    "next year": "2027-03-01T12:00:00Z",
}
NOW = "2026-01-15T10:00:00Z"


@pytest.fixture(scope="module")
def leads(org: InProcess) -> InProcess:
    org.set("/settings", token_lifetime_s=2_000_000_000)
    org.set("/clock", now="2024-01-01T00:00:00Z", frozen=True)
    org.sign_in()
    for name, moment in MOMENTS.items():
        org.set("/clock", now=moment)
        org.create("leads", lastname=name, subject="moments")
    org.set("/clock", now=NOW)
    return org


def created(org: InProcess, function: str) -> list[str]:
    condition = f"subject eq 'moments' and Microsoft.Dynamics.CRM.{function}"
    return [r["lastname"] for r in org.get(f"leads?$select=lastname&$filter={condition}&$orderby=createdon").rows]


def between(first: str, last: str) -> list[str]:
    names = list(MOMENTS)
    return names[names.index(first) : names.index(last) + 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Today", between("midnight", "half past nine")),
        ("Yesterday", ["yesterday"]),
        ("Tomorrow", ["tomorrow"]),
        ("Last7Days", between("six days ago", "half past nine")),
        ("Next7Days", ["tomorrow"]),
        ("LastWeek", between("ten days ago", "six days ago")),
        ("ThisWeek", between("yesterday", "tomorrow")),
        ("NextWeek", []),
        ("LastMonth", ["last month"]),
        ("ThisMonth", between("ten days ago", "tomorrow")),
        ("NextMonth", ["next month"]),
        ("LastYear", between("last year", "last month")),
        ("ThisYear", between("ten days ago", "next month")),
        ("NextYear", ["next year"]),
        ("LastFiscalPeriod", ["last month"]),
        ("ThisFiscalPeriod", between("ten days ago", "next month")),
        ("NextFiscalPeriod", []),
        ("LastFiscalYear", between("last year", "last month")),
        ("ThisFiscalYear", between("ten days ago", "next month")),
        ("NextFiscalYear", ["next year"]),
    ],
)
def test_3_2_spans_of_the_calendar(leads: InProcess, name: str, expected: list[str]) -> None:
    assert created(leads, f"{name}(PropertyName='createdon')") == expected


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("LastXHours", 1, ["half past nine"]),
        ("LastXHours", 11, between("yesterday", "half past nine")),
        ("NextXHours", 14, ["tomorrow"]),
        ("LastXDays", 5, between("yesterday", "half past nine")),
        ("NextXDays", 1, ["tomorrow"]),
        ("LastXWeeks", 2, between("ten days ago", "half past nine")),
        ("NextXWeeks", 4, between("tomorrow", "next month")),
        ("LastXMonths", 1, between("last month", "half past nine")),
        ("NextXMonths", 1, between("tomorrow", "next month")),
        ("LastXYears", 1, between("last year", "half past nine")),
        ("NextXYears", 2, between("tomorrow", "next year")),
        ("LastXFiscalPeriods", 1, between("last month", "half past nine")),
        ("LastXFiscalYears", 1, between("last year", "half past nine")),
        ("OlderThanXMinutes", 20, between("two years ago", "half past nine")),
        ("OlderThanXHours", 1, between("two years ago", "midnight")),
        ("OlderThanXDays", 1, between("two years ago", "six days ago")),
        ("OlderThanXWeeks", 1, between("two years ago", "ten days ago")),
        ("OlderThanXMonths", 1, between("two years ago", "last year")),
        ("OlderThanXYears", 1, ["two years ago"]),
        ("InFiscalYear", 2025, between("last year", "last month")),
        ("InFiscalPeriod", 1, between("ten days ago", "next month")),
    ],
)
def test_3_2_spans_of_a_number_of_units(leads: InProcess, name: str, count: int, expected: list[str]) -> None:
    assert created(leads, f"{name}(PropertyName='createdon',PropertyValue={count})") == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("On(PropertyName='createdon',PropertyValue='2026-01-14')", ["yesterday"]),
        ("OnOrBefore(PropertyName='createdon',PropertyValue='2025-06-01')", between("two years ago", "last year")),
        ("OnOrAfter(PropertyName='createdon',PropertyValue='2026-02-10')", between("next month", "next year")),
        ("InFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=2,PropertyValue2=2025)", ["last year"]),
        (
            "InOrBeforeFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=2,PropertyValue2=2025)",
            between("two years ago", "last year"),
        ),
        (
            "InOrAfterFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=1,PropertyValue2=2026)",
            between("ten days ago", "next year"),
        ),
        (
            "Between(PropertyName='createdon',PropertyValues=['2026-01-05','2026-01-14T23:59:59Z'])",
            between("ten days ago", "yesterday"),
        ),
    ],
)
def test_3_2_days_and_fiscal_periods(leads: InProcess, function: str, expected: list[str]) -> None:
    assert created(leads, function) == expected


def test_3_2_a_day_is_a_day_where_the_caller_lives(leads: InProcess) -> None:
    leads.set("/settings", user_time_zone="America/Los_Angeles")
    try:
        assert created(leads, "Today(PropertyName='createdon')") == ["half past nine", "tomorrow"]
        assert created(leads, "Yesterday(PropertyName='createdon')") == ["yesterday", "midnight"]
    finally:
        leads.set("/settings", user_time_zone="UTC")


# Text, numbers, lists.


@pytest.fixture(scope="module")
def people(leads: InProcess) -> InProcess:
    for first, last, children in (("Ann", "Grey", 2), ("Bob", "O'Bryan", 0), ("Cid", "Łoś", 5), ("Dan", "", None)):
        values = {"lastname": last} if last else {}
        leads.create("contacts", firstname=first, description="people", numberofchildren=children, **values)
    return leads


def first_names(org: InProcess, condition: str, extra: str = "") -> list[str]:
    target = f"contacts?$select=firstname&$filter=description eq 'people' and {condition}&$orderby=firstname{extra}"
    return [row["firstname"] for row in org.get(target).rows]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("In(PropertyName='firstname',PropertyValues=['ann','Bob'])", ["Ann", "Bob"]),
        ('In(PropertyName=\'firstname\',PropertyValues=["ann","Bob"])', ["Ann", "Bob"]),
        ("In(PropertyName='lastname',PropertyValues=['ŁOŚ'])", ["Cid"]),
        ("In(PropertyName='numberofchildren',PropertyValues=['0','5'])", ["Bob", "Cid"]),
        ("NotIn(PropertyName='firstname',PropertyValues=['ann','Bob'])", ["Cid", "Dan"]),
        ("NotIn(PropertyName='numberofchildren',PropertyValues=['2'])", ["Bob", "Cid", "Dan"]),
        ('Between(PropertyName=\'numberofchildren\',PropertyValues=["1","5"])', ["Ann", "Cid"]),
        ("NotBetween(PropertyName='numberofchildren',PropertyValues=['1','5'])", ["Bob", "Dan"]),
        ("Contains(PropertyName='lastname',PropertyValue='re')", ["Ann"]),
        ("DoesNotContain(PropertyName='lastname',PropertyValue='re')", ["Bob", "Cid", "Dan"]),
        ("BeginsWith(PropertyName='lastname',PropertyValue='o''b')", ["Bob"]),
        ("DoesNotBeginWith(PropertyName='lastname',PropertyValue='G')", ["Bob", "Cid", "Dan"]),
        ("EndsWith(PropertyName='lastname',PropertyValue='oś')", ["Cid"]),
        ("DoesNotEndWith(PropertyName='lastname',PropertyValue='y')", ["Bob", "Cid", "Dan"]),
        ("EqualUserId(PropertyName='ownerid')", ["Ann", "Bob", "Cid", "Dan"]),
        ("NotEqualUserId(PropertyName='_ownerid_value')", []),
        ("EqualUserOrUserTeams(PropertyName='ownerid')", ["Ann", "Bob", "Cid", "Dan"]),
        ("EqualUserTeams(PropertyName='ownerid')", []),
        ("EqualBusinessId(PropertyName='owningbusinessunit')", ["Ann", "Bob", "Cid", "Dan"]),
        ("NotEqualBusinessId(PropertyName='owningbusinessunit')", []),
        ("EqualUserOrUserHierarchy(PropertyName='ownerid')", ["Ann", "Bob", "Cid", "Dan"]),
    ],
)
def test_3_2_lists_texts_and_the_caller(people: InProcess, function: str, expected: list[str]) -> None:
    assert first_names(people, f"Microsoft.Dynamics.CRM.{function}") == expected


def test_3_2_rows_of_the_callers_teams(people: InProcess) -> None:
    user = people.get("WhoAmI").body["UserId"]
    unit = people.get("WhoAmI").body["BusinessUnitId"]
    people.set("/privileges", grant=["prvCreateTeam", "prvWriteTeam", "prvAppendTeam", "prvAppendToTeam"])
    team = people.create("teams", name="Field", teamtype=0, **{"businessunitid@odata.bind": f"businessunits({unit})"})
    member = {"@odata.id": f"{people.url}/api/data/v9.2/systemusers({user})"}
    assert people.api("POST", f"teams({team})/teammembership_association/$ref", member).status == 204
    people.create("contacts", firstname="Eve", description="team", **{"ownerid@odata.bind": f"teams({team})"})
    people.create("contacts", firstname="Fay", description="team")
    target = "contacts?$select=firstname&$orderby=firstname&$filter=description eq 'team' and Microsoft.Dynamics.CRM"
    of_teams = people.get(f"{target}.EqualUserTeams(PropertyName='ownerid')").rows
    assert [row["firstname"] for row in of_teams] == ["Eve"]
    of_both = people.get(f"{target}.EqualUserOrUserTeams(PropertyName='ownerid')").rows
    assert [row["firstname"] for row in of_both] == ["Eve", "Fay"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("Under", ["child", "grandchild"]),
        ("UnderOrEqual", ["child", "grandchild", "top"]),
        ("NotUnder", ["stranger", "top"]),
    ],
)
def test_3_2_rows_under_another(people: InProcess, function: str, expected: list[str]) -> None:
    top = people.create("accounts", name="top", description=f"tree {function}")
    parent = {"parentaccountid@odata.bind": f"accounts({top})"}
    child = people.create("accounts", name="child", description=f"tree {function}", **parent)
    grand = {"parentaccountid@odata.bind": f"accounts({child})"}
    leaf = people.create("accounts", name="grandchild", description=f"tree {function}", **grand)
    people.create("accounts", name="stranger", description=f"tree {function}")
    start = f"accounts?$select=name&$orderby=name&$filter=description eq 'tree {function}' and Microsoft.Dynamics.CRM"
    rows = people.get(f"{start}.{function}(PropertyName='accountid',PropertyValue='{top}')").rows
    assert [row["name"] for row in rows] == expected
    above = people.get(f"{start}.Above(PropertyName='accountid',PropertyValue='{leaf}')").rows
    assert [row["name"] for row in above] == ["child", "top"]
    at_or_above = people.get(f"{start}.AboveOrEqual(PropertyName='accountid',PropertyValue='{leaf}')").rows
    assert [row["name"] for row in at_or_above] == ["child", "grandchild", "top"]


@pytest.mark.parametrize(
    "function",
    [
        "Nonsense(PropertyName='firstname')",
        "In(PropertyName='firstname')",
        "In(PropertyValues=['a'])",
        "Between(PropertyName='numberofchildren',PropertyValues=['1'])",
        "LastXDays(PropertyName='createdon')",
        "LastXDays(PropertyName='createdon',PropertyValue='x')",
        "LastXDays(PropertyName='createdon',PropertyValue=99999999999)",
        "On(PropertyName='createdon',PropertyValue='soon')",
        "In(PropertyName='nothing',PropertyValues=['a'])",
        "In(PropertyName='numberofchildren',PropertyValues=['x'])",
    ],
)
def test_a_query_function_with_wrong_arguments_is_refused(people: InProcess, function: str) -> None:
    answer = people.get(f"contacts?$filter=Microsoft.Dynamics.CRM.{function}")
    assert answer.error[:2] == (400, "0x80060888")


# Columns of several choices (3.1: one string of numbers).


@pytest.fixture(scope="module")
def hobbies(people: InProcess) -> InProcess:
    crm = "Microsoft.Dynamics.CRM"

    def label(text: str) -> dict[str, object]:
        one = {"@odata.type": f"{crm}.LocalizedLabel", "Label": text, "LanguageCode": 1033}
        return {"@odata.type": f"{crm}.Label", "LocalizedLabels": [one]}

    options = [{"Value": value, "Label": label(text)} for value, text in ((1, "Hiking"), (2, "Camping"), (12, "Chess"))]
    column = {
        "@odata.type": f"{crm}.MultiSelectPicklistAttributeMetadata",
        "SchemaName": "new_hobbies",
        "DisplayName": label("Hobbies"),
        "OptionSet": {"@odata.type": f"{crm}.OptionSetMetadata", "IsGlobal": False, "Options": options},
    }
    assert people.api("POST", "EntityDefinitions(LogicalName='contact')/Attributes", column).status == 204
    for first, chosen in (("Gil", "1,2"), ("Hal", "12"), ("Ida", None)):
        people.create("contacts", firstname=first, description="hobbies", new_hobbies=chosen)
    return people


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        ("ContainValues", "['1']", ["Gil"]),
        ("ContainValues", "['2','12']", ["Gil", "Hal"]),
        ("DoesNotContainValues", "['1','2']", ["Hal", "Ida"]),
    ],
)
def test_3_2_one_of_several_choices(hobbies: InProcess, function: str, values: str, expected: list[str]) -> None:
    condition = f"Microsoft.Dynamics.CRM.{function}(PropertyName='new_hobbies',PropertyValues={values})"
    target = f"contacts?$select=firstname&$orderby=firstname&$filter=description eq 'hobbies' and {condition}"
    assert [row["firstname"] for row in hobbies.get(target).rows] == expected


def test_3_1_several_choices_read_as_their_labels(hobbies: InProcess) -> None:
    target = "contacts?$select=new_hobbies&$filter=firstname eq 'Gil'"
    row = hobbies.get(target, Prefer='odata.include-annotations="*"').rows[0]
    assert row["new_hobbies"] == "1,2"
    assert row["new_hobbies@OData.Community.Display.V1.FormattedValue"] == "Hiking; Camping"


# Aliases.


def test_3_2_a_parameter_alias_stands_for_a_value(people: InProcess) -> None:
    assert first_names(people, "firstname eq @p1", "&@p1='ann'") == ["Ann"]
    assert first_names(people, "numberofchildren gt @n and contains(lastname,@t)", "&@n=1&@t='re'") == ["Ann"]
    assert first_names(
        people, "Microsoft.Dynamics.CRM.EndsWith(PropertyName=@c,PropertyValue='y')", "&@c='lastname'"
    ) == ["Ann"]


def test_3_2_an_unassigned_alias_is_null(people: InProcess) -> None:
    assert first_names(people, "lastname eq @missing") == ["Dan"]


# Lambdas and paths.


@pytest.fixture(scope="module")
def companies(people: InProcess) -> InProcess:
    owner = people.create("accounts", name="Parent", description="companies")
    for name, staff in (("Litware", ["Ann", "Bob"]), ("Contoso", ["Ann"]), ("Empty", [])):
        bind = {"parentaccountid@odata.bind": f"accounts({owner})"}
        account = people.create("accounts", name=name, description="companies", **bind)
        for first in staff:
            works_at = {"parentcustomerid_account@odata.bind": f"accounts({account})"}
            people.create("contacts", firstname=first, lastname="Staff", **works_at)
    return people


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("contact_customer_accounts/any(c:c/firstname eq 'bob')", ["Litware"]),
        ("contact_customer_accounts/any(c:c/firstname eq 'Ann' and c/lastname eq 'Staff')", ["Contoso", "Litware"]),
        ("contact_customer_accounts/any()", ["Contoso", "Litware"]),
        ("not contact_customer_accounts/any()", ["Empty", "Parent"]),
        ("contact_customer_accounts/all(c:c/firstname eq 'Ann')", ["Contoso", "Empty", "Parent"]),
        ("contact_customer_accounts/any(c:contains(c/firstname,'o') or c/firstname eq null)", ["Litware"]),
        ("contact_customer_accounts/any(c:c/ownerid/fullname eq 'x' or name eq 'Contoso')", ["Contoso"]),
        ("account_parent_account/any(a:a/contact_customer_accounts/any(c:c/firstname eq 'Bob'))", ["Parent"]),
        (
            "contact_customer_accounts/any(c:c/Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=['Bob']))",
            ["Litware"],
        ),
        ("parentaccountid/name eq 'parent'", ["Contoso", "Empty", "Litware"]),
        ("parentaccountid/name eq name", []),
    ],
)
def test_3_2_lambdas_over_collections(companies: InProcess, condition: str, expected: list[str]) -> None:
    target = f"accounts?$select=name&$filter=description eq 'companies' and {condition}&$orderby=name"
    assert [row["name"] for row in companies.get(target).rows] == expected


def test_3_2_paths_of_several_steps(companies: InProcess) -> None:
    condition = "parentcustomerid_account/parentaccountid/name eq 'Parent' and firstname eq 'Bob'"
    rows = companies.get(f"contacts?$select=lastname&$filter={condition}").rows
    assert [row["lastname"] for row in rows] == ["Staff"]


@pytest.mark.parametrize(
    "condition",
    [
        "contact_customer_accounts/any(c:d/firstname eq 'x')",
        "contact_customer_accounts/any(c:c/nothing eq 'x')",
        "nothing/any(c:c/firstname eq 'x')",
        "primarycontactid/any(c:c/firstname eq 'x')",
        "contact_customer_accounts/any(c c/firstname)",
        "contact_customer_accounts/firstname eq 'x'",
        "contact_customer_accounts/any(c:c/account_x/any(c:c/y eq 1))",
    ],
)
def test_a_lambda_that_cannot_be_read_is_refused(companies: InProcess, condition: str) -> None:
    assert companies.get(f"accounts?$filter={condition}").status == 400


def test_3_2_an_order_by_lookup_goes_by_what_the_target_is_called(companies: InProcess) -> None:
    target = "contacts?$select=firstname&$filter=lastname eq 'Staff'&$orderby=_parentcustomerid_value,firstname"
    assert [row["firstname"] for row in companies.get(target).rows] == ["Ann", "Ann", "Bob"]
    pages = [page["value"][0]["firstname"] for page in companies.pages(target, Prefer="odata.maxpagesize=1")]
    assert pages == ["Ann", "Ann", "Bob"]
    through = "contacts?$select=firstname&$filter=lastname eq 'Staff'&$orderby=parentcustomerid_account/name desc"
    assert companies.get(through).rows[0]["firstname"] in ("Ann", "Bob")
    assert companies.get(through).rows[-1]["firstname"] == "Ann"


def test_7_2_more_than_500_conditions_are_refused(companies: InProcess) -> None:
    condition = " or ".join(["statecode eq 0"] * 501)
    assert companies.get(f"accounts?$filter={condition}").error[:2] == (400, "0x8004430c")
