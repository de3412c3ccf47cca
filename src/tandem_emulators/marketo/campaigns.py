"""Smart campaigns: listed, requested and scheduled over the API, made by a person (3.2, 10).

A campaign here is its flow: steps that are run on people one after the other, with the campaign as the reason.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tandem_emulators.marketo.store import Store, marks

REQUESTED_LEADS_MAX = 100
SCHEDULE_AHEAD_S = 300  # a scheduled campaign never runs sooner


class Campaign(msgspec.Struct, rename="camel", kw_only=True):
    """`custom_objects` are the types its smart list looks at, with the fields used: they cannot be deleted."""

    id: int = 0
    name: str
    type: str = "trigger"  # trigger | batch
    active: bool = True
    requestable: bool = True  # has the trigger "Campaign is Requested" with the source Web Service API
    description: str | None = None
    program_id: int | None = None
    workspace_name: str = "Default"
    list_id: int | None = None  # whom a batch campaign runs on
    flow: list[dict[str, Any]] = []
    custom_objects: dict[str, list[str]] = {}
    created_s: int = 0
    updated_s: int = 0


class Campaigns:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_due_s = self._first_due()

    def all(self) -> list[Campaign]:
        return self.after(0, -1)

    def after(self, campaign_id: int, limit: int) -> list[Campaign]:
        rows = self._store.rows("SELECT id, doc FROM campaign WHERE id > ? ORDER BY id LIMIT ?", (campaign_id, limit))
        return [_read(row) for row in rows]

    def find(self, campaign_id: int) -> Campaign | None:
        row = self._store.one("SELECT id, doc FROM campaign WHERE id = ?", (campaign_id,))
        return _read(row) if row else None

    def create(self, campaign: Campaign, now_s: int) -> Campaign:
        campaign.created_s = campaign.updated_s = now_s
        doc = msgspec.json.encode(campaign).decode()
        campaign.id = self._store.run("INSERT INTO campaign (doc) VALUES (?)", (doc,))
        return campaign

    def join(self, campaign_id: int, lead_ids: Iterable[int], now_s: int) -> None:
        """Note who has been through a campaign."""
        self._store.run_many(
            "INSERT INTO campaign_member VALUES (?, ?, ?, ?)"
            " ON CONFLICT (campaign_id, lead_id) DO UPDATE SET updated_s = excluded.updated_s",
            [(campaign_id, number, now_s, now_s) for number in lead_ids],
        )

    def of_lead(self, lead_id: int, span: tuple[int, int], after: int, limit: int) -> list[tuple[int, int, int]]:
        """Campaign id, first and last time, of the campaigns a person went through within a span of time."""
        sql = (
            "SELECT campaign_id, created_s, updated_s FROM campaign_member"
            " WHERE lead_id = ? AND campaign_id > ? AND updated_s BETWEEN ? AND ? ORDER BY campaign_id LIMIT ?"
        )
        return [(int(a), int(b), int(c)) for a, b, c in self._store.rows(sql, (lead_id, after, *span, limit))]

    def take_over(self, winner: int, losers: Sequence[int]) -> None:
        self._store.run(
            f"UPDATE OR IGNORE campaign_member SET lead_id = ? WHERE lead_id IN ({marks(losers)})", (winner, *losers)
        )

    def forget(self, lead_ids: Sequence[int]) -> None:
        self._store.run(f"DELETE FROM campaign_member WHERE lead_id IN ({marks(lead_ids)})", lead_ids)

    def schedule(self, campaign_id: int, due_s: int) -> None:
        self._store.run("INSERT INTO campaign_run (campaign_id, due_s) VALUES (?, ?)", (campaign_id, due_s))
        self._next_due_s = self._first_due()

    def is_any_due(self, now_s: float) -> bool:
        return self._next_due_s is not None and self._next_due_s <= now_s

    def take_due(self, now_s: float) -> list[Campaign]:
        """The campaigns whose time has come; each is handed out once."""
        rows = list(
            self._store.rows("SELECT id, campaign_id FROM campaign_run WHERE due_s <= ? ORDER BY due_s, id", (now_s,))
        )
        self._store.run_many("DELETE FROM campaign_run WHERE id = ?", [(number,) for number, _ in rows])
        self._next_due_s = self._first_due()
        found = (self.find(campaign_id) for _, campaign_id in rows)
        return [campaign for campaign in found if campaign is not None]

    def _first_due(self) -> int | None:
        row = self._store.one("SELECT min(due_s) FROM campaign_run")
        return row[0] if row is not None else None


def run_at(text: Any, now_s: float) -> int | None:
    """When a scheduled campaign runs: the wished time, but not within five minutes; None for what is no such time."""
    earliest = int(now_s) + SCHEDULE_AHEAD_S
    if text is None or text == "":
        return earliest
    try:
        at = datetime.fromisoformat(str(text))
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        now = datetime.fromtimestamp(now_s, UTC)
        return max(earliest, int(at.timestamp())) if now <= at <= now + timedelta(days=730) else None
    except (ValueError, OverflowError):
        return None


def _read(row: tuple[Any, ...]) -> Campaign:
    campaign = msgspec.json.decode(row[1], type=Campaign)
    campaign.id = row[0]
    return campaign
