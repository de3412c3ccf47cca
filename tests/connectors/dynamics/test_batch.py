"""The multipart envelope, as bytes."""

import pytest

from tandem.connectors.dynamics.batch import CutShortError, Part, parse_batch, render_batch

ANSWER = """--batchresponse_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

HTTP/1.1 200 OK
Content-Type: application/json; odata.metadata=minimal
ETag: W/"5"
OData-Version: 4.0

{"lastname":"Müller --batchresponse_1 in the text"}
--batchresponse_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 204 No Content
OData-Version: 4.0


--batchresponse_1
Content-Type: application/http

HTTP/1.1 429 Too Many Requests
Retry-After: 5

{"error":{"code":"0x80072322","message":""}}
--batchresponse_1--
"""


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("boundary", ["batchresponse_1", '"batchresponse_1"'])
def test_answers_come_in_order_whatever_the_line_ends(line_end: str, boundary: str) -> None:
    body = ANSWER.replace("\n", line_end).encode()
    first, second, third = parse_batch(f"multipart/mixed; boundary={boundary}", body)
    assert (first.status, first.headers["etag"]) == (200, 'W/"5"')
    assert first.body.decode() == '{"lastname":"Müller --batchresponse_1 in the text"}'
    assert (second.status, second.body) == (204, b"")
    assert (third.status, third.retry_after_s) == (429, 5.0)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_an_answer_without_its_end_is_no_answer(kept: float) -> None:
    body = ANSWER.encode()
    with pytest.raises(CutShortError):
        parse_batch("multipart/mixed; boundary=batchresponse_1", body[: int(len(body) * kept)])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"Message":"no"}'),
        ("multipart/mixed", ANSWER.encode()),
        ("multipart/mixed; boundary=b", b""),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nnot http\r\n--b--\r\n"),
    ],
)
def test_what_is_no_batch_answer_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(CutShortError):
        parse_batch(content_type, body)


def test_each_request_is_a_whole_message_of_its_own() -> None:
    part = Part("PATCH", "/api/data/v9.2/contacts(1)", {"If-Match": "*"}, '{"lastname":"Ü"}'.encode())
    assert render_batch([part]).decode() == (
        "--batch_tandem\r\n"
        "Content-Type: application/http\r\n"
        "Content-Transfer-Encoding: binary\r\n"
        "Content-ID: 1\r\n"
        "\r\n"
        "PATCH /api/data/v9.2/contacts(1) HTTP/1.1\r\n"
        "Accept: application/json\r\n"
        "If-Match: *\r\n"
        "Content-Length: 17\r\n"
        "\r\n"
        '{"lastname":"Ü"}\r\n'
        "--batch_tandem--\r\n"
    )
