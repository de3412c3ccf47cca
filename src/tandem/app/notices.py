"""Notices: what is worth a message to people, once each. Everything in them can be read from the store too.

Looked for after each pass and sent beside the sync, which never waits for a notifier and never fails with one. A
notice counts as sent when a service took it; until then the next look tries again. Names of tables and codes, counts
and times are all that leaves: no notice quotes a value of anybody's record.
"""

import asyncio
import logging
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from tandem.app.errors import error_line
from tandem.config.model import Config, NotifyConfig
from tandem.config.secrets import find_secret
from tandem.core.errors import AccessError, ConfigError, StoreError, TandemError
from tandem.ports import Store
from tandem.runtime.backfill import FIRST_COPY
from tandem.telemetry import get_logger

NOTIFY_SECRET: Final = "notify_urls"
_SETTING: Final = "notices"
_SEND_TIMEOUT_S: Final = 30.0
_RETRY_AFTER: Final = timedelta(minutes=1)
_ALL: Final = 1_000_000

log = get_logger()


@dataclass(frozen=True, slots=True)
class Notice:
    """`event` is one of those in ``notify.events``; `key` tells it from others of its kind."""

    event: str
    key: str
    title: str
    body: str


class Sender(Protocol):
    async def send(self, notice: Notice) -> bool:
        """Whether a service took it."""


class Told(msgspec.Struct):
    """What was told already, and what is going on: one small text in the store."""

    since: datetime
    digest_at: datetime
    keys: list[str] = msgspec.field(default_factory=list)
    trouble_since: datetime | None = None
    failed_at: datetime | None = None


@dataclass(slots=True)
class Notices:
    """The notices of one sync. Called after each pass with what stopped it and what it asked."""

    store: Store
    settings: NotifyConfig
    sender: Sender
    _sending: asyncio.Task[None] | None = field(default=None)

    def look(self, now: datetime, failure: TandemError | None = None, questions: Sequence[str] = ()) -> None:
        """Send what is new, in the background; a look while one is still under way is left to the next."""
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._tell_aside(now, failure, questions))

    async def _tell_aside(self, now: datetime, failure: TandemError | None, questions: Sequence[str]) -> None:
        try:
            await self.tell(now, failure, questions)
        except StoreError as error:  # what was told is looked up again
            log.warning("notice.was_not_noted", error_type=type(error).__name__)

    async def tell(self, now: datetime, failure: TandemError | None = None, questions: Sequence[str] = ()) -> None:
        told = load_told(self.store, now)
        news = find_news(self.store, self.settings, told, now, failure, questions)
        if told.failed_at is None or now - told.failed_at >= _RETRY_AFTER:
            told.failed_at = None
            for notice in news:
                await self._send(notice, told, now)
        save_told(self.store, told)

    async def close(self) -> None:
        """Wait for what is being sent."""
        if self._sending is not None:
            await self._sending

    async def _send(self, notice: Notice, told: Told, now: datetime) -> None:
        if notice.event not in self.settings.events or await self.sender.send(notice):
            _mark(told, notice, now)
        else:
            told.failed_at = now
            log.warning("notice.was_refused", kind=notice.event)


# --- what there is to tell


def load_told(store: Store, now: datetime) -> Told:
    """What happened before notices were first looked for is not told."""
    text = store.load_setting(_SETTING)
    if text:
        return msgspec.json.decode(text, type=Told)
    is_old = store.load_setting(FIRST_COPY) is not None
    return Told(since=now, digest_at=now, keys=[_FIRST_COPY] if is_old else [])


def unsent_since(store: Store) -> datetime | None:
    """Since when no service has taken what is to be told; None where nothing waits for one."""
    text = store.load_setting(_SETTING)
    return msgspec.json.decode(text, type=Told).failed_at if text else None


def save_told(store: Store, told: Told) -> None:
    store.save_setting(_SETTING, msgspec.json.encode(told).decode())


def find_news(
    store: Store,
    settings: NotifyConfig,
    told: Told,
    now: datetime,
    failure: TandemError | None,
    questions: Sequence[str],
) -> list[Notice]:
    """What is not told yet; `told` learns what is going on."""
    found = [*_first_copy(store), *_backfills(store, told), *_questions(told, failure, questions)]
    found += _trouble(told, settings, now, failure)
    if now - told.digest_at >= timedelta(hours=settings.digest_every_h):
        found += _digest(store, told, now)
    return [notice for notice in found if notice.key not in told.keys]


def _mark(told: Told, notice: Notice, now: datetime) -> None:
    if notice.event == "failures":
        told.digest_at = now
    else:
        told.keys = [*told.keys[-500:], notice.key]


_FIRST_COPY: Final = "first_copy"


def _first_copy(store: Store) -> list[Notice]:
    if store.load_setting(FIRST_COPY) is None:
        return []
    linked = ", ".join(f"{line.crm_entity} {line.linked:,}" for line in store.load_status() if line.linked)
    return [Notice("first_copy", _FIRST_COPY, "Tandem: the first copy is done", f"In step now: {linked or 'nothing'}.")]


def _backfills(store: Store, told: Told) -> list[Notice]:
    return [
        Notice(
            "backfill",
            f"backfill {done.number}",
            f"Tandem: {done.name} was read anew",
            f"{done.reason}. {done.read:,} records were read.",
        )
        for done in store.load_backfills(50)
        if done.finished_at is not None and done.finished_at >= told.since
    ]


def _questions(told: Told, failure: TandemError | None, questions: Sequence[str]) -> list[Notice]:
    """A question goes on from pass to pass, with counts that move; it is asked once until a pass has none like it."""
    asked = {f"question {re.sub(r'[0-9,.]+', '#', question)}": question for question in questions}
    if failure is None:
        told.keys = [key for key in told.keys if not key.startswith("question ") or key in asked]
    title = "Tandem waits for a person"
    return [Notice("question", key, title, f"{text} `tandem status` says more.") for key, text in asked.items()]


def _trouble(told: Told, settings: NotifyConfig, now: datetime, failure: TandemError | None) -> list[Notice]:
    """A refused access is told at once, a side that is away when it stays so; its return only if it was told."""
    if failure is None:
        was_told = told.trouble_since is not None and f"trouble {told.trouble_since}" in told.keys
        began, told.trouble_since = told.trouble_since, None
        if not was_told:
            return []
        body = f"What was wrong since {began:%Y-%m-%d %H:%M} UTC is over."
        return [Notice("trouble", f"over {began}", "Tandem goes on", body)]
    told.trouble_since = told.trouble_since or now
    is_refused = isinstance(failure, AccessError)
    if not is_refused and now - told.trouble_since < timedelta(seconds=settings.down_after_s):
        return []
    title = "Tandem: access was refused" if is_refused else "Tandem: a side is unavailable"
    body = f"Since {told.trouble_since:%Y-%m-%d %H:%M} UTC. {failure}"
    return [Notice("trouble", f"trouble {told.trouble_since}", title, body)]


def _digest(store: Store, told: Told, now: datetime) -> list[Notice]:
    """What was refused since the last digest, by table, direction and code."""
    since = told.digest_at
    lines = [error_line(row) for row in store.load_rejected(_ALL) if row.finished_at and row.finished_at >= since]
    if not lines:
        told.digest_at = now
        return []
    counts = Counter((line.entity, line.direction, line.code, line.meaning or line.message) for line in lines)
    told_lines = [
        f"{count:,} of {entity} {direction}: {code} {meaning}"
        for (entity, direction, code, meaning), count in counts.most_common(20)
    ]
    body = "\n".join([*told_lines, "`tandem errors list` shows each with its remedy."])
    return [Notice("failures", f"failures {now}", f"Tandem: {len(lines):,} writes were refused", body)]


# --- sending


class AppriseSender:
    """All services of the settings; one that takes it is enough."""

    def __init__(self, urls: Sequence[str]) -> None:
        """
        Raises:
            ConfigError: an address is of no kind that Apprise knows; it is not quoted, as it may hold a password.
        """
        import apprise  # here, because it loads a hundred services that most commands can save

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its own lines quote addresses
        self._services = apprise.Apprise()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a hundred services bring old libraries along
            unknown = next((number for number, url in enumerate(urls, start=1) if not self._services.add(url)), None)
        if unknown is not None:
            raise ConfigError(
                f"Address {unknown} of notify.urls (and {NOTIFY_SECRET} behind them) is of no kind that Apprise knows:"
                " write it as Apprise's documentation of that service says."
            )

    async def send(self, notice: Notice) -> bool:
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                taken = await self._services.async_notify(body=notice.body, title=notice.title)
        except (TimeoutError, OSError, TypeError):
            return False
        return taken.success_count > 0


def open_notices(config: Config, store: Store, now: datetime) -> Notices | None:
    """None where nobody wants to be told. What happened before `now` is not told, so this comes before the pass.

    Raises:
        ConfigError: an address cannot be used.
    """
    urls = [*config.notify.urls, *(find_secret(NOTIFY_SECRET) or "").split()]
    if not urls:
        return None
    save_told(store, load_told(store, now))
    return Notices(store, config.notify, AppriseSender(urls))
