"""Whatever is sent, the emulator answers like a service: a refusal, never a fault of its own."""

import random
import re
import string

import pytest

from tests.contract.dataverse.client import InProcess

PIECES = [
    *("contacts", "leads", "(", ")", "'", "$filter=", "$select=", "$top=", "$orderby=", "$count=true", "$skiptoken="),
    *("$deltatoken=", "&", "?", "/", "$ref", "$value", "eq", "%20", "null", "%00", "%ff", "%C5%81", "-1", "1e999"),
    *("11111111-1111-1111-1111-111111111111", "Microsoft.Dynamics.CRM.QualifyLead", "not", "and", "EntityDefinitions"),
    *(
        "(LogicalName='lead')",
        "Attributes",
        "parentcustomerid_account",
        "contains(lastname,'a')",
        "%3Ccookie%3E",
        "$it",
    ),
]
JSON_PIECES = [
    *("{", "}", "[", "]", ":", ",", '"lastname"', '"Grey"', '"parentcustomerid_account@odata.bind"', "null", "1e400"),
    *(
        '"statecode"',
        '"\\ud800"',
        '"@odata.type"',
        "99999999999999999999",
        "-0",
        "true",
        '"contactid"',
        '"/accounts(1)"',
    ),
]


def test_random_urls_never_make_a_fault(org: InProcess) -> None:
    rng = random.Random(20)
    for _ in range(400):
        target = "/api/data/v9.2/" + "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 7)))
        answer = org.api(rng.choice(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"]), target, "{}")
        assert answer.status != 500, target


def test_random_bodies_never_make_a_fault(org: InProcess) -> None:
    rng = random.Random(21)
    contact = org.create("contacts", lastname="Grey")
    for _ in range(300):
        body = "{" + "".join(rng.choice(JSON_PIECES) for _ in range(rng.randint(0, 8))) + "}"
        for method, target in (("POST", "contacts"), ("PATCH", f"contacts({contact})"), ("POST", "Merge")):
            answer = org.api(method, target, body)
            assert answer.status != 500, body


@pytest.mark.parametrize("value", [True, 1, 1.5, "x", [], {}, [1], 10**30, -(10**30), "\ud7ff", "\x00"])
def test_every_column_takes_or_refuses_every_kind_of_value(org: InProcess, value: object) -> None:
    names = list(org.row("contacts", org.create("contacts", lastname="Grey")))
    for name in names:
        if not name.startswith("@"):
            answer = org.api("POST", "contacts", {name: value})
            assert answer.status in (204, 400, 501), (name, value, answer.raw)


@pytest.mark.parametrize("field", ["grant_type", "client_id", "client_secret", "scope", "username"])
def test_random_sign_ins_never_make_a_fault(org: InProcess, field: str) -> None:
    rng = random.Random(22)
    for _ in range(40):
        text = "".join(rng.choice(string.printable + "Łß😀") for _ in range(rng.randint(0, 30)))
        assert org.sign_in(**{field: text}).status in (200, 400, 401)


@pytest.mark.parametrize("cookie", ["", "x", "<cookie/>", "<cookie pagenumber='x' pagingcookie='' />", "<!DOCTYPE a>"])
def test_a_broken_cookie_is_refused(org: InProcess, cookie: str) -> None:
    assert org.get(f"contacts?$skiptoken={cookie}").status == 400


@pytest.mark.parametrize("number", ["9" * 40, "-1", "x", "1.5"])
@pytest.mark.parametrize("where", ["version", "span", "page", "token"])
def test_a_forged_number_in_a_link_is_refused_or_finds_nothing(org: InProcess, where: str, number: str) -> None:
    first = org.get("contacts?$select=lastname", Prefer="odata.track-changes").body["@odata.deltaLink"]
    for name in "AB":
        org.create("contacts", lastname=name)
    link = org.get(first, Prefer="odata.maxpagesize=1").body["@odata.nextLink"]
    patterns = {
        "version": (link, r"last%253d%2522(\d+)"),
        "span": (link, r"deltafrom=%22(\d+)"),
        "page": (link, r"number=%22(\d+)"),
        "token": (first, r"\$deltatoken=(\d+)"),
    }
    source, pattern = patterns[where]
    found = re.search(pattern, source)
    assert found is not None
    forged = source[: found.start(1)] + number + source[found.end(1) :]
    assert org.get(forged).status in (200, 400)


def test_a_deep_filter_is_answered(org: InProcess) -> None:
    for depth in (50, 1500):
        condition = "(" * depth + "statecode eq 0" + ")" * depth
        assert org.get(f"contacts?$filter={condition}").status in (200, 400)


@pytest.mark.parametrize("operator", ["or", "and"])
def test_a_long_chain_is_answered(org: InProcess, operator: str) -> None:
    chain = f" {operator} ".join(["statecode eq 0"] * 300)
    assert org.get(f"contacts?$filter={chain}").status == 200
