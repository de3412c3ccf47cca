"""Call Webhook: the request Marketo makes for one person, and what it does with the answer (7.1).

Payload, address and headers are templates with tokens such as `{{lead.Id}}`. Calls leave one after the other on a
thread of their own, so that a receiver may call this emulator back; what they brought is taken in with the next
request. Only addresses of this machine are called.
"""

import json
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import msgspec

from tandem_emulators.kit.errors import ControlError

TIMEOUT_S = 30
BATCH_CAMPAIGN, EMPTY_RESPONSE, FAILED = "1000", "1001", "1002"
_TOKEN = re.compile(r"\{\{([\w .]+?)(?::default=([^}]*))?\}\}")
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Webhook(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """As an admin sets one up; `mappings` are lead fields and the places in the answer that fill them."""

    url: str
    name: str = "Webhook"
    method: str = "POST"
    payload: str = ""
    encoding: str = "JSON"  # of tokens: JSON | Form/Url
    response_type: str = "JSON"  # JSON | XML
    headers: dict[str, str] = {}
    mappings: dict[str, str] = {}

    def check(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or urlsplit(self.url).hostname not in _LOCAL:
            raise ControlError("A webhook here has an address of this machine.")
        choices = ((self.method, ("GET", "POST")), (self.encoding, ("JSON", "Form/Url")))
        for value, allowed in (*choices, (self.response_type, ("JSON", "XML"))):
            if value not in allowed:
                raise ControlError(f"A webhook takes {' or '.join(allowed)}, not {value!r}.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call brought: the answer's text, and a code where it went wrong."""

    lead_id: int
    campaign_id: int | None
    webhook: Webhook
    text: str = ""
    error: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


class Caller:
    """Makes the calls in their order; the thread begins with the first."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[urllib.request.Request, Callable[..., Outcome]]] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, webhook: Webhook, lead: Mapping[str, Any], lead_id: int, campaign_id: int | None) -> None:
        def outcome(text: str = "", error: str | None = None) -> Outcome:
            values = {} if error else mapped(webhook, text)
            return Outcome(lead_id, campaign_id, webhook, text, error, values)

        self._waiting.put((request_of(webhook, lead), outcome))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="webhooks")
            self._thread.start()

    def has_answers(self) -> bool:
        return not self._outcomes.empty()

    def take(self) -> list[Outcome]:
        """What came in since the last time."""
        taken = []
        while not self._outcomes.empty():
            taken.append(self._outcomes.get())
        return taken

    def _work(self) -> None:
        while True:
            request, outcome = self._waiting.get()
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    text = answer.read().decode("utf-8", "replace")
                self._outcomes.put(outcome(text) if text else outcome(error=EMPTY_RESPONSE))
            except urllib.error.HTTPError as error:
                self._outcomes.put(outcome(error.read().decode("utf-8", "replace"), str(error.code)))
                error.close()
            except (OSError, ValueError):
                self._outcomes.put(outcome(error=FAILED))


def request_of(webhook: Webhook, lead: Mapping[str, Any]) -> urllib.request.Request:
    """The request for one person; in JSON a text token brings its quotes along."""
    encode = _json_token if webhook.encoding == "JSON" else _form_token
    body = _filled(webhook.payload, lead, encode).encode() if webhook.method == "POST" else None
    content_type = "application/json" if webhook.encoding == "JSON" else "application/x-www-form-urlencoded"
    headers = {"Content-Type": content_type} if body is not None else {}
    headers |= {name: _filled(value, lead, str) for name, value in webhook.headers.items()}
    return urllib.request.Request(_filled(webhook.url, lead, _form_token), body, headers, method=webhook.method)


def _filled(template: str, lead: Mapping[str, Any], encode: Callable[[Any], str]) -> str:
    def value(match: re.Match[str]) -> str:
        found = lead.get(match[1].strip())
        return encode(found if found is not None else match[2] or "")

    return _TOKEN.sub(value, template)


def _json_token(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _form_token(value: Any) -> str:
    return quote(str(value), safe="")


def mapped(webhook: Webhook, text: str) -> dict[str, Any]:
    """The lead fields that an answer fills; a place that it does not have fills nothing."""
    read = _from_json if webhook.response_type == "JSON" else _from_xml
    found = {name: read(text, path) for name, path in webhook.mappings.items()}
    return {name: value for name, value in found.items() if value is not None}


def _from_json(text: str, path: str) -> Any:
    try:
        value = json.loads(text)
        for part in re.findall(r"[^.\[\]]+", path):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return None if isinstance(value, dict | list) else value


def _from_xml(text: str, path: str) -> str | None:
    """A path from below the root, parts parted by dots or slashes."""
    try:
        return ElementTree.fromstring(text).findtext("/".join(re.split(r"[./]", path)))
    except (ElementTree.ParseError, SyntaxError):
        return None
