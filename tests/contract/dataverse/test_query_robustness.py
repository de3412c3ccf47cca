"""Queries that were made up: some can be read, most cannot, and none makes a fault of the emulator's own."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.dataverse.client import InProcess

many = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

PATHS = [
    *("lastname", "numberofchildren", "createdon", "birthdate", "donotemail", "statecode", "creditlimit", "contactid"),
    *("_parentcustomerid_value", "parentcustomerid_account/name", "parentcustomerid_account/primarycontactid/fullname"),
    *("ownerid/fullname", "x", "contact_customer_accounts", "nothing/x", "$it/lastname", "c/lastname", "ownerid"),
]
LITERALS = [
    *("null", "true", "1", "-1", "1.5", "1e999", "9" * 40, "'a'", "''", "'O''Bryan'", "'%_[a-'", "'[^'", "'%' "),
    *("2026-01-05", "2026-13-45", "2026-01-05T10:00:00Z", "11111111-1111-1111-1111-111111111111", "@p1", "'\\u0000'"),
    *("9999-12-31T23:59:59Z", "0001-01-01", '"x"', "duration'P1D'", "Microsoft.Dynamics.CRM.X'y'", "'\U0001f600'"),
]
FUNCTIONS = [
    *("In", "NotIn", "Between", "ContainValues", "LastXDays", "OlderThanXYears", "Today", "On", "Under", "Above"),
    *("EqualUserTeams", "EqualUserOrUserHierarchyAndTeams", "InFiscalPeriodAndYear", "NextXFiscalPeriods", "Nope"),
]
paths, literals = st.sampled_from(PATHS), st.sampled_from(LITERALS)
comparisons = st.builds(
    "{} {} {}".format,
    paths | literals,
    st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le", "in", "add"]),
    paths | literals,
)
texts = st.builds(
    "{}({},{})".format, st.sampled_from(["contains", "startswith", "endswith", "tolower"]), paths, literals
)
crm_calls = st.builds(
    "Microsoft.Dynamics.CRM.{}(PropertyName='{}'{})".format,
    st.sampled_from(FUNCTIONS),
    paths,
    st.sampled_from(
        [
            "",
            ",PropertyValue=5",
            ",PropertyValue='x'",
            ",PropertyValues=['1','2']",
            ",PropertyValues=[]",
            ",PropertyValue=999999",
            ",PropertyValue1=9,PropertyValue2=9999",
            ",PropertyValue='2026-01-01'",
        ]
    ),
)
conditions = st.recursive(
    comparisons | texts | crm_calls | paths,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds(
            "parentcustomerid_account/contact_customer_accounts/{}(c:{})".format, st.sampled_from(["any", "all"]), inner
        ),
    ),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, source: st.SearchStrategy[str]) -> str:
    """The text as it is, or with a piece cut out, doubled or replaced."""
    text = draw(source)
    kind = draw(st.sampled_from(["whole", "whole", "cut", "double", "insert"]))
    at = draw(st.integers(0, len(text)))
    until = min(len(text), at + draw(st.integers(0, 8)))
    if kind == "cut":
        return text[:at] + text[until:]
    if kind == "double":
        return text[:until] + text[at:]
    if kind == "insert":
        return (
            text[:at]
            + draw(st.text(max_size=3) | st.sampled_from(["(", ")", "'", "/", ",", "<", ">", '"', "&"]))
            + text[at:]
        )
    return text


def ask(org: InProcess, target: str) -> None:
    answer = org.get(target, Prefer='odata.maxpagesize=3,odata.include-annotations="*"')
    assert answer.status in (200, 400, 404), (target, answer.raw)
    if answer.status == 200:
        following = answer.body.get("@odata.nextLink")
        if following:
            assert org.get(following, Prefer="odata.maxpagesize=3").status == 200, following


@pytest.fixture(scope="module")
def people() -> Iterator[InProcess]:
    org = InProcess(people=40)
    assert org.sign_in().status == 200
    yield org
    org.close()


@many
@given(mutated(conditions))
def test_made_up_filters(people: InProcess, condition: str) -> None:
    ask(people, f"contacts?$select=lastname&$filter={quote(condition, safe='')}")


@many
@given(st.lists(st.tuples(paths, st.sampled_from(["", " asc", " desc", " up"])), min_size=1, max_size=4))
def test_made_up_orders(people: InProcess, terms: list[tuple[str, str]]) -> None:
    order = ",".join(f"{path}{direction}" for path, direction in terms)
    ask(people, f"contacts?$select=lastname&$orderby={quote(order)}")


NAVIGATIONS = [
    "primarycontactid",
    "contact_customer_accounts",
    "account_parent_account",
    "ownerid",
    "Account_Tasks",
    "x",
]
expand_options = st.sampled_from(
    ["$select=name", "$select=fullname", "$top=1", "$orderby=createdon", "$filter=statecode eq 0", "$skip=1", "$top=x"]
)
expansions = st.recursive(
    st.sampled_from([*NAVIGATIONS, "primarycontactid/$ref", "contact_customer_accounts/$ref"]),
    lambda inner: st.one_of(
        st.builds("{}($expand={};{})".format, st.sampled_from(NAVIGATIONS), inner, expand_options),
        st.builds("{}({})".format, st.sampled_from(NAVIGATIONS), expand_options),
        st.builds("{},{}".format, inner, inner),
    ),
    max_leaves=6,
)


@many
@given(mutated(expansions))
def test_made_up_expansions(people: InProcess, expansion: str) -> None:
    ask(people, f"accounts?$select=name&$expand={quote(expansion, safe='')}")


aggregates = st.builds(
    "{} with {} as {}".format,
    paths,
    st.sampled_from(["sum", "average", "min", "max", "countdistinct", "median"]),
    st.sampled_from(["a", "b", "total", "1x", "select"]),
)
applications = st.one_of(
    st.builds("aggregate({})".format, aggregates | st.just("$count as n")),
    st.builds("groupby(({}),aggregate({},{}))".format, paths, aggregates, st.just("$count as n")),
    st.builds("filter({})/groupby(({},{}))".format, conditions, paths, paths),
)


@many
@given(mutated(applications))
def test_made_up_applications(people: InProcess, text: str) -> None:
    ask(people, f"contacts?$apply={quote(text, safe='')}")


names = st.sampled_from(
    ["lastname", "firstname", "createdon", "parentcustomerid", "ownerid", "statecode", "accountid", "x"]
)
operators = st.sampled_from(
    [
        "eq",
        "ne",
        "like",
        "in",
        "between",
        "null",
        "last-x-days",
        "today",
        "eq-userid",
        "under",
        "on",
        "x",
        "contain-values",
    ]
)
fetch_conditions = st.builds(
    '<condition attribute="{}" operator="{}" value="{}"/>'.format,
    names,
    operators,
    st.sampled_from(["a", "%", "1", "2026-01-01", "11111111-1111-1111-1111-111111111111", "", "999999999999999999999"]),
)
fetch_filters = st.recursive(
    fetch_conditions,
    lambda inner: st.builds(
        '<filter type="{}">{}{}</filter>'.format, st.sampled_from(["and", "or", "x"]), inner, inner
    ),
    max_leaves=6,
).map(lambda text: text if text.startswith("<filter") else f"<filter>{text}</filter>")
attributes = st.builds(
    '<attribute name="{}" {}/>'.format,
    names,
    st.sampled_from(["", 'alias="a"', 'alias="b" aggregate="count"', 'alias="c" groupby="true"', 'aggregate="sum"']),
)
links = st.recursive(
    attributes | fetch_filters | st.builds('<order attribute="{}"/>'.format, names),
    lambda inner: st.builds(
        '<link-entity name="{}" from="{}" to="{}" link-type="{}">{}{}</link-entity>'.format,
        st.sampled_from(["account", "contact", "systemuser", "x"]),
        st.sampled_from(["accountid", "contactid", "systemuserid", "parentcustomerid"]),
        st.sampled_from(["parentcustomerid", "ownerid", "contactid", "primarycontactid"]),
        st.sampled_from(["inner", "outer", "exists", "any", "x"]),
        inner,
        inner,
    ),
    max_leaves=8,
)
fetches = st.builds(
    '<fetch {}><entity name="contact">{}{}{}</entity></fetch>'.format,
    st.sampled_from(
        ["", 'count="2"', 'top="3"', 'distinct="true"', 'aggregate="true"', 'page="3" count="2"', 'page="0"']
    ),
    attributes | st.just("<all-attributes/>"),
    links,
    links,
)


@many
@given(mutated(fetches))
def test_made_up_fetches(people: InProcess, xml: str) -> None:
    ask(people, f"contacts?fetchXml={quote(xml, safe='')}")


sql_pieces = st.lists(
    st.sampled_from(
        [
            "SELECT",
            "TOP 2",
            "firstname",
            "c.lastname",
            "COUNT(*)",
            "AS n",
            ",",
            "FROM contact",
            "FROM contact c",
            "JOIN account a",
            "ON c.parentcustomerid = a.accountid",
            "WHERE",
            "firstname = 'a'",
            "AND",
            "OR",
            "NOT",
            "(",
            ")",
            "GROUP BY",
            "ORDER BY",
            "IN ('a')",
            "LIKE '%a'",
            "BETWEEN 1 AND 2",
            "IS NULL",
            "*",
            "1",
            "'x'",
            "DISTINCT",
            "OFFSET 1 ROWS",
            "CASE",
            "--",
            ";",
        ]
    ),
    max_size=12,
)
statements = st.one_of(
    sql_pieces.map(" ".join),
    sql_pieces.map(lambda pieces: "SELECT firstname FROM contact WHERE " + " ".join(pieces)),
    sql_pieces.map(lambda pieces: "SELECT firstname FROM contact c " + " ".join(pieces)),
)


@many
@given(mutated(statements))
def test_made_up_statements(people: InProcess, text: str) -> None:
    ask(people, f"contacts?sql={quote(text, safe='')}")


@pytest.mark.parametrize(
    "condition",
    [
        "contains(lastname,'" + "%a" * 400 + "b')",
        "contains(lastname,'[" + "a-z" * 300 + "]%[a]%[b]%[c]%[d]%[e]')",
        " or ".join(f"contains(lastname,'[{letter}]%[x]%[y]%[z]%')" for letter in "abcdefghij"),
        "not " * 300 + "statecode eq 0",
        "not (" * 60 + "statecode eq 0" + ")" * 60,
        "(statecode eq 0 and (statecode eq 1 or " * 30 + "statecode eq 0" + "))" * 30,
        "contact_customer_accounts/any(c:" * 30 + "true" + ")" * 30,
        "/".join(["parentcustomerid_account/primarycontactid"] * 20) + "/lastname eq 'x'",
        "Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=[" + ",".join(["'x'"] * 3000) + "])",
        "lastname eq '" + "x" * 20_000 + "'",
    ],
)
def test_large_and_deep_filters_are_answered_at_once(people: InProcess, condition: str) -> None:
    assert people.get(f"contacts?$select=lastname&$filter={quote(condition, safe='')}").status in (200, 400, 414)


@pytest.mark.parametrize("depth", [15, 100, 1000])
def test_deep_fetches_and_expansions_are_answered(people: InProcess, depth: int) -> None:
    filters = "<filter>" * depth + "</filter>" * depth
    fetch = f'<fetch><entity name="contact">{filters}</entity></fetch>'
    assert people.get(f"contacts?fetchXml={quote(fetch, safe='')}").status in (200, 400, 414)
    expansion = "$expand=primarycontactid(" * depth + ")" * depth
    assert people.get(f"accounts?{expansion}").status in (200, 400, 414)
    statement = "SELECT firstname FROM contact WHERE " + "(" * depth + "firstname = 'a'" + ")" * depth
    assert people.get(f"contacts?sql={quote(statement, safe='')}").status in (200, 400, 414)
