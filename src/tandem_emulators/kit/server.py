"""The process: bind to a port of 127.0.0.1, say where in one line of JSON, serve until told to stop.

It stops on SIGTERM and SIGINT, and with `die_with_parent` also when standard input ends, so that a parent that was
killed leaves nothing running.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tandem_emulators.kit.app import TRANSPORT_EXTENSION, EmulatorApp
from tandem_emulators.kit.control import PREFIX
from tandem_emulators.kit.emulator import Emulator
from tandem_emulators.kit.tls import Tls, new_authority


class _Protocol(HttpToolsProtocol):
    """Lets the application reach the connection, so that a fault can cut it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT_EXTENSION: {"transport": self.transport}}


class _Server(uvicorn.Server):
    """A server that ends with status 0 when told to stop, and tells when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """In good order as far as that goes: a peer that never ends its half of TLS is cut off."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
        yield

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.should_exit = True


def bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def make_server(
    emulator: Emulator, *, control: bool, tls: Tls | None = None, on_ready: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """A server for an already bound socket; `serve(sockets=[listener])` or `run(sockets=[listener])` it."""
    config = uvicorn.Config(
        EmulatorApp(emulator, control=control),
        http=_Protocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        backlog=1024,
        ssl_certfile=tls.server_file if tls else None,
    )
    return _Server(config, on_ready)


def first_line(emulator: Emulator, port: int, *, control: bool, tls: Tls | None = None) -> bytes:
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    control_url = url + PREFIX if control else None
    line = {**emulator.announcement(url), "ca_file": tls.ca_file if tls else None, "control_url": control_url}
    return msgspec.json.encode(line) + b"\n"


@dataclass(frozen=True, slots=True)
class Serving:
    """How a process serves. `ca_file` is where the authority's certificate goes; None is a folder of its own."""

    port: int = 0
    control: bool = False
    die_with_parent: bool = False
    tls: bool = False
    ca_file: str | None = None


def run(emulator: Emulator, serving: Serving) -> None:
    with new_authority(serving.ca_file) if serving.tls else contextlib.nullcontext() as tls:
        listener = bind(serving.port)
        port = listener.getsockname()[1]

        def announce() -> None:
            sys.stdout.buffer.write(first_line(emulator, port, control=serving.control, tls=tls))
            sys.stdout.buffer.flush()

        server = make_server(emulator, control=serving.control, tls=tls, on_ready=announce)
        if serving.die_with_parent:
            _stop_at_end_of_input(server)
        server.run(sockets=[listener])


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a lock held at exit would be fatal
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
