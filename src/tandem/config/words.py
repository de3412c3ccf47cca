"""The kinds of values that settings take, each checked where it stands."""

import re
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, Strict

from tandem.core.wanted_pairs import TRANSFORM_NAMES

CALLS_PER_20_S: Final = 100
CALLS_AT_ONCE: Final = 10
"""What Marketo allows one subscription, all integrations together (marketo-rest 2)."""

NAME_LENGTH: Final = 100
"""Nobody publishes how long the API name of an object or a field may be (the native sync stops at 33, N44); what is
refused nevertheless, Marketo says when the type is made."""

_NAME: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{NAME_LENGTH - 1}}}")

STORE_URL_DEFAULT: Final = "sqlite:///tandem.db"


def _checked_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme not in ("https", "http") or not rest or "?" in rest or "@" in rest:
        raise ValueError(
            "must be an address such as https://contoso.crm4.dynamics.com, without user, password or query"
        )
    return url.rstrip("/")


def _checked_store_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return url


def _checked_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be the name of a time zone that this machine knows, such as Europe/Berlin") from error
    return name


def _checked_transform(name: str) -> str:
    if name not in TRANSFORM_NAMES:
        raise ValueError(f"must be one of {', '.join(sorted(TRANSFORM_NAMES))}")
    return name


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be a Marketo API name: letters, digits and underlines without accents, a letter first, at most"
            f" {NAME_LENGTH} characters; take a shorter one, it need not be the table's"
        )
    return name


Url = Annotated[str, AfterValidator(_checked_url)]
StoreUrl = Annotated[str, AfterValidator(_checked_store_url)]
ZoneName = Annotated[str, AfterValidator(_checked_zone)]
Language = Annotated[int, Strict(), Field(ge=1025, le=65535)]
TransformName = Annotated[str, AfterValidator(_checked_transform)]
Name = Annotated[str, Field(min_length=1)]
ObjectName = Annotated[str, AfterValidator(_checked_name)]
Share = Annotated[float, Strict(), Field(gt=0, le=1)]
Seconds = Annotated[float, Strict(), Field(gt=0)]
Count = Annotated[int, Strict(), Field(ge=0)]
Preference = Literal["active", "contact over lead", "last modified", "lowest id"]
