"""File columns: a file goes up whole or in blocks, comes down whole or by range, and leaves its name beside it."""

from base64 import b64decode
from collections.abc import Iterator

import pytest

from tests.contract.dataverse.client import InProcess
from tests.contract.dataverse.definitions import column, label, make_column

CONTENT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def org() -> Iterator[InProcess]:
    emulator = InProcess(people=0)
    emulator.sign_in()
    make_column(emulator, column("File", "new_Paper", DisplayName=label("Paper"), MaxSizeInKB=2))
    yield emulator
    emulator.close()


@pytest.fixture
def paper(org: InProcess) -> str:
    """The path of the column of a new lead."""
    return f"leads({org.create('leads', subject='S', lastname='L')})/new_paper"


def put(org: InProcess, paper: str, content: bytes = CONTENT, name: str = "a%20b.bin") -> None:
    headers = {"Content_Type": "application/octet-stream", "x_ms_file_name": name}
    assert org.api("PATCH", paper, content, **headers).status == 204


def test_3_1_a_file_is_an_id_with_its_name_beside_it(org: InProcess, paper: str) -> None:
    put(org, paper)
    row = org.get(f"{paper.partition('/')[0]}?$select=new_paper,new_paper_name").body
    assert len(row["new_paper"]) == 36
    assert row["new_paper_name"] == "a b.bin"
    assert org.api("DELETE", paper).status == 204
    row = org.get(f"{paper.partition('/')[0]}?$select=new_paper,new_paper_name").body
    assert (row["new_paper"], row["new_paper_name"]) == (None, None)
    assert org.get(f"{paper}/$value").status == 404


def test_it_comes_down_as_bytes_or_in_base_64(org: InProcess, paper: str) -> None:
    put(org, paper)
    plain = org.get(f"{paper}/$value")
    assert (plain.status, plain.raw) == (200, CONTENT)
    assert plain.headers["content-type"] == "application/octet-stream"
    assert plain.headers["x-ms-file-size"] == str(len(CONTENT))
    assert b64decode(org.get(paper).body["value"]) == CONTENT


@pytest.mark.parametrize(
    ("wanted", "shown", "first", "last"),
    [("bytes=0-99", "0-99", 0, 99), ("bytes=1000-", "1000-1023", 1000, 1023), ("bytes=5-5000", "5-1023", 5, 1023)],
)
def test_2_5_a_range_is_a_206(org: InProcess, paper: str, wanted: str, shown: str, first: int, last: int) -> None:
    put(org, paper)
    answer = org.get(f"{paper}/$value", Range=wanted)
    assert (answer.status, answer.raw) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {shown}/1024"


def test_blocks_go_where_the_first_answer_says(org: InProcess, paper: str) -> None:
    begun = org.api("PATCH", paper, x_ms_transfer_mode="chunked", x_ms_file_name="c.bin")
    assert begun.status == 200
    assert int(begun.headers["x-ms-chunk-size"]) == 4 * 1024 * 1024
    octets = {"Content_Type": "application/octet-stream"}
    place = begun.headers["location"]
    first = org.api("PATCH", place, CONTENT[:600], Content_Range="bytes 0-599/1024", **octets)
    assert first.status == 206
    assert org.get(f"{paper}/$value").status == 404
    for span in ("bytes 0-423/1024", "bytes 600-1023/1000", "600-1023", "bytes 600-1022/1024"):
        assert org.api("PATCH", place, CONTENT[600:], Content_Range=span, **octets).status == 400, span
    last = org.api("PATCH", place, CONTENT[600:], Content_Range="bytes 600-1023/1024", **octets)
    assert last.status == 204
    assert org.get(f"{paper}/$value").raw == CONTENT
    again = org.api("PATCH", place, CONTENT[600:], Content_Range="bytes 600-1023/1024", **octets)
    assert again.error[:2] == (400, "0x80040203")


def test_what_is_too_large_has_no_name_or_no_row_is_refused(org: InProcess, paper: str) -> None:
    octets = {"Content_Type": "application/octet-stream"}
    large = org.api("PATCH", paper, bytes(2049), x_ms_file_name="l.bin", **octets)
    assert large.error[:2] == (413, "0x8004418a")
    assert org.api("PATCH", paper, b"x", **octets).error[:2] == (400, "0x80040203")
    nobody = "leads(11111111-1111-1111-1111-111111111111)/new_paper"
    assert org.api("PATCH", nobody, b"x", x_ms_file_name="n.bin", **octets).error[:2] == (404, "0x80040217")


def test_it_takes_the_rights_of_the_row(org: InProcess, paper: str) -> None:
    put(org, paper)
    org.set("/privileges", revoke=["prvWriteLead", "prvReadLead"])
    try:
        headers = {"Content_Type": "application/octet-stream", "x_ms_file_name": "x"}
        assert org.api("PATCH", paper, b"x", **headers).error[:2] == (403, "0x80040220")
        assert org.get(f"{paper}/$value").error[:2] == (403, "0x80040220")
    finally:
        org.set("/privileges", grant=["prvWriteLead", "prvReadLead"])
    assert org.get(f"{paper}/$value").raw == CONTENT


def test_a_new_file_is_a_change_of_its_row(org: InProcess, paper: str) -> None:
    page = org.get("leads?$select=subject", Prefer="odata.track-changes").body
    put(org, paper)
    assert f"leads({org.get(page['@odata.deltaLink']).rows[0]['leadid']})" == paper.partition("/")[0]
