"""Generated bodies and damaged batches: the emulator refuses them like a service, and never faults or hangs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.dataverse.client import InProcess

ACTION = "Microsoft.Dynamics.CRM."
GUID = "11111111-1111-1111-1111-111111111111"
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

URLS = st.sampled_from(
    [
        *(
            "/accounts(1)",
            f"/accounts({GUID})",
            f"contacts({GUID})",
            "$1",
            "",
            "http://x/y",
            "/nothing(1)",
            "accounts()",
        ),
        *("/accounts(accountnumber='1')", "/accounts(name='1')", f"/leads({GUID})", "accounts('", "/$batch", "%00"),
    ]
)
TYPES = st.sampled_from([f"{ACTION}{name}" for name in ("contact", "account", "lead", "list", "nothing", "")])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["2026-02-30", "2019-05-01", "9999-99-99T99:99:99Z", GUID, "\x00", "x" * 5000]),
    URLS,
    TYPES,
)
NAMES = st.sampled_from(
    [
        *("lastname", "fullname", "statecode", "statuscode", "contactid", "birthdate", "creditlimit", "donotemail"),
        *(
            "parentcustomerid",
            "_parentcustomerid_value",
            "parentcustomerid_account",
            "primarycontactid",
            "versionnumber",
        ),
        *("parentcustomerid_account@odata.bind", "parentcustomerid@odata.bind", "ownerid@odata.bind", "name", "listid"),
        *("contact_customer_accounts", "contact_customer_accounts@odata.bind", "accountleads_association@odata.bind"),
        *(
            "@odata.type",
            "@odata.id",
            "@odata.etag",
            "lastname@odata.type",
            "Targets",
            "Target",
            "Subordinate",
            "Status",
        ),
        *("UpdateContent", "OpportunityClose", "opportunityid@odata.bind", "List", "Members", "EntityId", "QuerySet"),
        *("CreateAccount", "CreateOpportunity", "OpportunityCustomerId", "JobName", "StartDateTime", "Criteria"),
        *(
            "EntityName",
            "Conditions",
            "Filters",
            "AttributeName",
            "Operator",
            "Values",
            "accountid",
            "record1id_account",
        ),
        *("address1_city", "overriddencreatedon", "transactioncurrencyid@odata.bind", "revenue", "DuplicateRuleId", ""),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6)
TARGETS = [
    *(
        ("POST", "contacts"),
        ("POST", "accounts"),
        ("POST", "connections"),
        ("POST", "lists"),
        ("POST", "opportunities"),
    ),
    *(("PATCH", "contacts({id})"), ("PATCH", "accounts({id})"), ("PUT", "contacts({id})/lastname")),
    *(("PATCH", "systemusers({id})"), ("PATCH", "accounts(accountnumber='1')"), ("POST", "customeraddresses")),
    *(
        ("PUT", "contacts({id})/parentcustomerid_account/$ref"),
        ("POST", "accounts({id})/contact_customer_accounts/$ref"),
    ),
    *(("POST", f"contacts/{ACTION}{name}Multiple") for name in ("Create", "Update", "Upsert", "Delete")),
    *(("POST", name) for name in ("Merge", "WinOpportunity", "LoseOpportunity", "AddListMembersList", "BulkDelete")),
    *(("POST", name) for name in ("UnpublishDuplicateRule", f"leads({{lead}})/{ACTION}QualifyLead")),
]


@pytest.fixture(scope="module")
def rows(org: InProcess) -> dict[str, str]:
    contact = org.create("contacts", lastname="Grey")
    return {"id": contact, "lead": org.create("leads", lastname="L", subject="S")}


@pytest.mark.parametrize(("method", "target"), TARGETS, ids=[f"{method} {target}" for method, target in TARGETS])
@FEW
@given(body=BODIES, asks=st.booleans())
def test_no_body_makes_a_fault(
    org: InProcess, rows: dict[str, str], method: str, target: str, body: dict[str, Any], asks: bool
) -> None:
    headers = {"MSCRM.SuppressDuplicateDetection": "false"} if asks else {}
    answer = org.api(method, target.format(**rows), json.dumps(body), **headers)
    assert answer.status in (200, 201, 204, 400, 403, 404, 405, 412, 501), answer.raw
    if answer.status >= 400:
        _, code, text = answer.error
        assert re.fullmatch(r"0x[0-9a-f]{8}", code)
        assert text


def test_every_table_takes_or_refuses_writes() -> None:
    org = InProcess(people=60)
    org.sign_in()
    for name, table in sorted(org.emulator.schema.by_set.items()):
        org.set("/privileges", grant=[table.privileges[kind][0] for kind in ("Create", "Write", "Delete")])
        assert org.api("POST", name, {}).status in (204, 400, 405), name
        for row in org.get(f"{name}?$top=1").rows:
            for method in ("PATCH", "DELETE"):
                answer = org.api(method, f"{name}({row[table.key]})", {})
                assert answer.status in (204, 400, 405), (method, name, answer.raw)
    org.close()


def part(lines: list[str], boundary: str, *headers: str) -> list[str]:
    return [
        f"--{boundary}",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        *headers,
        "",
        *lines,
    ]


def a_batch() -> list[str]:
    write = ["POST contacts HTTP/1.1", "Content-Type: application/json", "", '{"lastname":"Grey"}']
    link = ["PATCH $1 HTTP/1.1", "Content-Type: application/json", "", '{"firstname":"Ann"}']
    change_set = [*part(write, "c", "Content-ID: 1"), *part(link, "c", "Content-ID: 2"), "--c--"]
    nested = ["--batch_1", "Content-Type: multipart/mixed; boundary=c", "", *change_set]
    return [*part(["GET WhoAmI HTTP/1.1", ""], "batch_1"), *nested, *part(write, "batch_1"), "--batch_1--", ""]


@st.composite
def damaged_batches(draw: st.DrawFn) -> bytes:
    """A good batch with lines lost, doubled, swapped or replaced, and perhaps a few bytes changed or cut off."""
    lines = a_batch()
    junk = [
        "",
        "--batch_1",
        "--c--",
        "GET / HTTP/1.1",
        "Content-ID: 1",
        ":",
        "POST $batch HTTP/1.1",
        "\x00",
        "--",
        "$1",
    ]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "replace", "swap"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "replace":
                lines[at] = draw(st.sampled_from(junk) | st.text(max_size=5))
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
    raw = bytearray(draw(st.sampled_from(["\r\n", "\n"])).join(lines).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        if raw:
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw)


def statuses(raw: bytes) -> Iterator[int]:
    return (int(found) for found in re.findall(rb"^HTTP/1\.1 (\d{3}) ", raw, re.MULTILINE))


@settings(FEW, max_examples=150)
@given(body=damaged_batches(), continues=st.booleans())
def test_no_batch_makes_a_fault(org: InProcess, body: bytes, continues: bool) -> None:
    headers = {"Prefer": "odata.continue-on-error"} if continues else {}
    content_type = "multipart/mixed; boundary=batch_1"
    answer = org.api("POST", "$batch", body, Content_Type=content_type, **headers)
    assert answer.status != 500, body
    assert 500 not in set(statuses(answer.raw)), body
    if not answer.headers["content-type"].startswith("multipart/mixed"):
        assert answer.status == 400
        assert answer.body["Message"]


@pytest.mark.parametrize(
    "content_type", ["", "multipart/mixed", "multipart/mixed; boundary=", 'multipart/mixed; boundary="', "text/plain"]
)
def test_a_batch_needs_a_boundary(org: InProcess, content_type: str) -> None:
    assert org.api("POST", "$batch", b"x", Content_Type=content_type).status == 400
