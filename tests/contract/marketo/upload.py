"""A file as a browser or `requests` would send it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from tests.contract.marketo.client import Answer, Running

BOUNDARY = "----WebKitFormBoundaryBQACkJZyaiIAXogC"


def upload(
    marketo: Running, path: str, content: bytes, *, form: Mapping[str, str] | None = None, **parameters: object
) -> Answer:
    fields = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in (form or {}).items()
    )
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="leads.csv"\r\n'
    body = fields + head.encode() + b"Content-Type: text/csv\r\n\r\n" + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {
        "Authorization": f"Bearer {marketo.token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    target = path + ("?" + urlencode(parameters) if parameters else "")
    return marketo.send("POST", target, body, headers)
