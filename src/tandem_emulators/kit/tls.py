"""Serving https: a certificate authority made for the occasion, and a server certificate for this machine.

A client trusts the emulator by trusting the authority's certificate, whose file is named in the first line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Tls:
    """`ca_file` is what a client must trust; `server_file` holds the server's key and certificate."""

    ca_file: str
    server_file: str


@contextmanager
def new_authority(ca_file: str | None = None) -> Iterator[Tls]:
    """Files that serve until the end of the block. A `ca_file` that the caller names stays there afterwards."""
    with TemporaryDirectory(prefix="tandem-emulators-") as folder:
        authority = trustme.CA(organization_name="Tandem emulators")
        path = Path(ca_file) if ca_file is not None else Path(folder, "ca.pem")
        server_path = Path(folder, "server.pem")
        authority.cert_pem.write_to_path(path)
        authority.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(server_path)
        yield Tls(str(path), str(server_path))
