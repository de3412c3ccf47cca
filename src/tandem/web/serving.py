"""An application served on an address for as long as a block lasts, in the loop that runs the passes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

from tandem.core.errors import ConfigError
from tandem.telemetry import get_logger

_LAST_CALLS_S: Final = 10

log = get_logger()


class _Server(uvicorn.Server):
    """Signals belong to the process that serves, not to the server: the pass under way ends in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Starlette, address: tuple[str, int], setting: str) -> AsyncIterator[None]:
    """Raises: ConfigError, naming `setting`, where the address cannot be taken."""
    listener = _listen(address, setting)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_LAST_CALLS_S
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells it by a flag
            await asyncio.sleep(0.01)
        log.info("server.started", service=setting)
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


def _listen(address: tuple[str, int], setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        text = f"{setting}: nothing can listen there ({error.strerror}); name a free port of this machine."
        raise ConfigError(text) from None
    return listener
