"""The application's certificate, and the signed assertion by which a client proves that it holds the key.

What Microsoft asks of the assertion: a header that names the certificate by thumbprint, the application as issuer
and subject, the token endpoint (or the issuer) as audience, a signature, and a time in which it is valid.
"""

from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tandem_emulators.dataverse import sign_in_errors as errors
from tandem_emulators.kit.errors import ControlError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = ("RS256", "PS256")
_CLOCK_SKEW_S = 300


@dataclass(frozen=True)
class ApplicationCertificate:
    """A certificate that is registered for the application. `file` holds it, and its key if we made it."""

    certificate: x509.Certificate
    key: rsa.RSAPublicKey
    file: str

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1 in hexadecimal, as portals show it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @cached_property
    def names(self) -> dict[str, str]:
        """Header of an assertion -> the value by which it names this certificate."""
        prints = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}
        found = {name: _base64url(self.certificate.fingerprint(kind)) for name, kind in prints.items()}
        return {**found, "kid": self.thumbprint}


def ensure_certificate(path: str) -> ApplicationCertificate:
    """The certificate in that file; a new key and certificate are written to it when there is no such file."""
    file = Path(path)
    try:
        if not file.exists():
            file.write_bytes(_new_pair())
            file.chmod(0o600)
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise ControlError(f"The file {path} cannot hold the application's certificate: {error}.") from error
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ControlError(f"The certificate in {path} has no RSA key; assertions are signed with RSA only.")
    return ApplicationCertificate(certificate, key, str(file.resolve()))


def _new_pair() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tandem emulators application")])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return private + certificate.public_bytes(pem)


def check_assertion(
    assertion: str,
    registered: ApplicationCertificate | None,
    *,
    client_id: str,
    audiences: Collection[str],
    now_s: float,
) -> None:
    """Raise the refusal that this assertion meets, in the order in which a holder of a bad one would meet them."""
    header = _header(assertion)
    # Microsoft's library for Python pads the thumbprint with "=", which the standard does not.
    named = {name: str(header[name]).rstrip("=") for name in ("x5t", "x5t#S256", "kid") if name in header}
    if registered is None or not any(registered.names[name] == value for name, value in named.items()):
        raise errors.key_not_found(next(iter(named.values()), ""), client_id)
    claims = _claims(assertion, registered)
    if not (claims.get("iss") == claims.get("sub") == client_id):
        raise errors.assertion_of_another()
    if not isinstance(claims.get("aud"), str):
        raise errors.malformed_assertion()
    if claims["aud"].rstrip("/") not in audiences:
        raise errors.assertion_for_another()
    _check_time(claims, now_s)


def _header(assertion: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError as error:
        raise errors.malformed_assertion() from error
    if header.get("alg") not in _ALGORITHMS:
        raise errors.malformed_assertion()
    return header


def _claims(assertion: str, registered: ApplicationCertificate) -> dict[str, Any]:
    """Only the signature is the library's business: it cannot tell Entra's refusals apart, and knows another clock."""
    try:
        payload = jwt.PyJWS().decode(assertion, registered.key, algorithms=list(_ALGORITHMS))
        return msgspec.json.decode(payload, type=dict[str, Any])
    except jwt.InvalidSignatureError as error:
        raise errors.bad_signature(registered.thumbprint) from error
    except (jwt.InvalidTokenError, ValueError) as error:
        raise errors.malformed_assertion() from error


def _check_time(claims: dict[str, Any], now_s: float) -> None:
    starts, ends = claims.get("nbf", 0), claims.get("exp")
    if not isinstance(ends, int | float) or not isinstance(starts, int | float):
        raise errors.malformed_assertion()
    if not starts - _CLOCK_SKEW_S <= now_s <= ends + _CLOCK_SKEW_S:
        raise errors.assertion_out_of_time(_moment(now_s), _moment(starts), _moment(ends))


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.0000000Z"
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59.0000000Z"


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
