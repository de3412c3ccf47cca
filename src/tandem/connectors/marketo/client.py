"""Marketo's REST calls, one method for each kind: a query, a command, a page of a feed. It answers envelopes.

Queries go as ``POST …?_method=GET`` with the parameters as a form: 300 e-mail addresses do not fit in a URL of 8 KB,
and addresses do not belong into the access logs of proxies.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from tandem.connectors.http import Call, HttpClient, Response
from tandem.connectors.marketo.auth import MarketoTokens
from tandem.connectors.marketo.budget import DayLedger
from tandem.connectors.marketo.errors import DAY_SPENT, PAUSES_S, classify, classify_identity
from tandem.connectors.marketo.wire import FORM_HEADERS, JSON_HEADERS, Envelope, WireUsage, parse_envelope, render_form
from tandem.connectors.pacing import Pacer, Rule
from tandem.core.errors import AccessError, RejectedError, RemoteError
from tandem.core.record import Side
from tandem.ports import Clock

TIMEOUT_S: Final = 30.0
FILE_TIMEOUT_S: Final = 120.0
"""Ten megabytes are on their way for a while."""

TIMEOUTS_S: Final[Mapping[str, float]] = {
    "leads.sync": 90.0,
    "leads.query": 60.0,
    "leads.merge": 180.0,
    "companies.sync": 60.0,
    "salespersons.sync": 60.0,
    "opportunities.sync": 60.0,
    "roles.sync": 60.0,
    "namedaccounts.sync": 120.0,
    "customobjects.sync": 120.0,
    "bulk.leads.import": FILE_TIMEOUT_S,
    "companies.delete": 60.0,
    "salespersons.delete": 60.0,
    "opportunities.delete": 60.0,
    "roles.delete": 60.0,
    "namedaccounts.delete": 60.0,
    "customobjects.delete": 60.0,
    "activities.pagingtoken": 300.0,
}
"""The endpoints' own time-outs (marketo-rest 2.4). We wait a little longer, so that Marketo's 604 still arrives."""

PATIENCE_S: Final = 10.0
LONG_QUERY: Final = 6_000
"""Characters of parameters from which on a feed is asked by form: a URL ends at 8 KB."""

WINDOW_S: Final = 20.0
SEEN_WITHIN_S: Final = 0.5
"""A call of 300 records takes Marketo seconds; it counts from its arrival, which is soon after we began it. Were calls
kept until they end, a rate of 5 a second could not be used with answers that take longer than a second."""

USAGE_EVERY: Final = 500
"""So many calls after which we look again what others have used."""


class MarketoClient:
    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        ledger: DayLedger,
        calls_per_20_s: int,
        max_concurrent: int,
        ca_file: str | None,
    ) -> None:
        self.ledger = ledger
        self._identity = HttpClient(
            Side.MARKETING,
            url,
            None,
            Pacer(clock, concurrent_max=1),
            clock,
            ca_file=ca_file,
            classify=classify_identity,
        )
        self.tokens = MarketoTokens(self._identity, client_id, client_secret, clock)
        pacer = Pacer(
            clock,
            rules=[Rule(calls_per_20_s, WINDOW_S, SEEN_WITHIN_S)],
            concurrent_max=max_concurrent,
            ledger=ledger,
        )

        def judge(call: Call, response: Response) -> RemoteError | None:
            error = classify(call, response, clock.now())
            if error is not None and error.code == DAY_SPENT:
                ledger.close_day()
            if error is not None and error.code in PAUSES_S:
                pacer.pause(PAUSES_S[error.code])
            return error

        self._http = HttpClient(Side.MARKETING, url, self.tokens, pacer, clock, ca_file=ca_file, classify=judge)
        self._usage_door = asyncio.Lock()
        self._usage_due_at = 0

    @property
    def calls(self) -> int:
        return self._http.calls + self._identity.calls

    async def close(self) -> None:
        await self._http.close()
        await self._identity.close()

    async def get(self, operation: str, path: str, params: Mapping[str, str] | None = None) -> Envelope:
        return await self._call(operation, "GET", path, params=params)

    async def query(self, operation: str, path: str, params: Mapping[str, str]) -> Envelope:
        return await self._call(
            operation, "POST", f"{path}?_method=GET", headers=FORM_HEADERS, body=render_form(params)
        )

    async def command(
        self, operation: str, path: str, body: bytes | None = None, *, attempts_max: int | None = None
    ) -> Envelope:
        """A call that writes: without an answer its outcome is unknown."""
        return await self._call(
            operation, "POST", path, headers=JSON_HEADERS, body=body, is_write=True, attempts_max=attempts_max
        )

    async def ask(self, operation: str, path: str, body: bytes) -> Envelope:
        """A call that changes no record, though it is a POST: it can be repeated."""
        return await self._call(operation, "POST", path, headers=JSON_HEADERS, body=body)

    async def upload(
        self, operation: str, path: str, params: Mapping[str, str], content_type: str, body: bytes
    ) -> Envelope:
        """A file to import; it is not tried again: sync calls can do the same work at once."""
        headers = {"Content-Type": content_type}
        return await self._call(
            operation, "POST", path, params=params, headers=headers, body=body, is_write=True, attempts_max=1
        )

    async def download(self, operation: str, path: str, *, start: int = 0, size: int | None = None) -> bytes | None:
        """A file, or `size` bytes of it; None where there is none."""
        await self._ensure_usage()
        headers = {} if size is None else {"Range": f"bytes={start}-{start + size - 1}"}
        response = await self._http.request(operation, "GET", path, headers=headers, timeout_s=FILE_TIMEOUT_S)
        return None if response.status == 404 else response.body

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        is_write: bool = False,
        attempts_max: int | None = None,
    ) -> Envelope:
        await self._ensure_usage()
        response = await self._http.request(
            operation,
            method,
            path,
            params=params,
            headers=headers,
            body=body,
            is_write=is_write,
            timeout_s=TIMEOUTS_S.get(operation, TIMEOUT_S) + PATIENCE_S,
            attempts_max=attempts_max,
        )
        return parse_envelope(response.body)

    async def _ensure_usage(self) -> None:
        """Before the first call, and now and then, learn what has been used of the day: by earlier processes of ours
        and by everybody else."""
        async with self._usage_door:
            if self._http.calls >= self._usage_due_at:
                await self._note_usage()
                self._usage_due_at = self._http.calls + USAGE_EVERY

    async def _note_usage(self) -> None:
        user = await self.tokens.scope()
        try:
            response = await self._http.request("stats.usage", "GET", "/rest/v1/stats/usage.json")
        except (AccessError, RejectedError):  # then we count from here; the call that follows says what is wrong
            return
        users = [each for day in parse_envelope(response.body).rows(WireUsage) for each in day.users]
        ours = sum(each.count for each in users if each.user_id == user)
        self.ledger.note_usage(ours=ours, others=sum(each.count for each in users) - ours)

    async def paging_token(self, since: str) -> str:
        answer = await self.get(
            "activities.pagingtoken", "/rest/v1/activities/pagingtoken.json", {"sinceDatetime": since}
        )
        return answer.next_page_token or ""

    async def feed(self, name: str, token: str, params: Mapping[str, str]) -> Envelope:
        """One page of ``activities``, ``leadchanges`` or ``deletedleads``."""
        path = "/rest/v1/activities.json" if name == "query" else f"/rest/v1/activities/{name}.json"
        everything = {"nextPageToken": token, **params}
        if sum(map(len, everything.values())) > LONG_QUERY:
            return await self.query(f"activities.{name}", path, everything)
        return await self.get(f"activities.{name}", path, everything)
