"""Admins at work on either side, over the documented APIs, with every privilege."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tandem.app.demo.services import Service


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin of Dynamics."""

    crm_service: Service

    async def web_api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return await web_api(self.crm_service, method, path, body, **headers)


async def web_api(crm: Service, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """A call of the Dataverse Web API below ``/api/data/v9.2/``."""
    secrets = {"client_id": crm.fact("client_id"), "client_secret": crm.fact("client_secret")}
    form = {"grant_type": "client_credentials", **secrets, "scope": f"{crm.fact('url')}/.default"}
    token = await _token(f"{crm.fact('authority')}/{crm.fact('tenant_id')}/oauth2/v2.0/token", form)
    return await _call(method, f"{crm.fact('url')}/api/data/v9.2/{path}", token, body, headers)


async def rest(marketing: Service, method: str, path: str, body: Any = None) -> Any:
    """A call of Marketo's REST API."""
    secrets = {"client_id": marketing.fact("client_id"), "client_secret": marketing.fact("client_secret")}
    token = await _token(
        f"{marketing.fact('url')}/identity/oauth/token", {"grant_type": "client_credentials", **secrets}
    )
    return await _call(method, f"{marketing.fact('url')}{path}", token, body, {})


async def _token(url: str, form: Mapping[str, str]) -> str:
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        return str((await answer.json(content_type=None))["access_token"])


async def _call(method: str, url: str, token: str, body: Any, headers: Mapping[str, str]) -> Any:
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body, headers=sent) as answer:
        text = await answer.text()
        assert answer.status < 400, f"{method} {url}: {answer.status} {text[:300]}"
        return json.loads(text) if text else None
