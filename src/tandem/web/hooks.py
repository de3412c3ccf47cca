"""The webhooks of `tandem run`, where the settings ask for them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from tandem.app.build import Setup
from tandem.app.requests import FrontDesk
from tandem.app.settings import Config, webhook_secret
from tandem.web.routes.hooks import hook_routes
from tandem.web.serving import serving


def hooks_app(desk: FrontDesk, secret: str) -> Starlette:
    return Starlette(routes=hook_routes(desk, secret))


@asynccontextmanager
async def serving_hooks(setup: Setup, config: Config, wake: Callable[[], None]) -> AsyncIterator[None]:
    """For as long as an engine is open. Raises: ConfigError, where there is no secret or the address is taken."""
    if config.webhooks.listen is None:
        yield
        return
    app = hooks_app(FrontDesk(setup.engine, config.webhooks.account, wake), webhook_secret())
    async with serving(app, config.webhooks.host_and_port, "webhooks.listen"):
        yield
