"""The ASGI application around an emulator: count, refuse, wait, strike with a fault, carry out, answer."""

import asyncio
import socket
import struct
import time

from tandem_emulators.kit.control import PREFIX, serve_control
from tandem_emulators.kit.emulator import Emulator
from tandem_emulators.kit.errors import ConnectionDroppedError
from tandem_emulators.kit.faults import FaultRule
from tandem_emulators.kit.http import Receive, Reply, Request, Scope, Send, has_valid_host, read_request, send_reply

TRANSPORT_EXTENSION = "tandem_emulators.transport"


class EmulatorApp:
    def __init__(self, emulator: Emulator, *, control: bool) -> None:
        self.emulator = emulator
        self._control = control
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            request = await read_request(scope, receive)
            if not has_valid_host(request):
                await send_reply(Reply(400, b"Bad Request - Invalid Hostname", {"content-type": "text/html"}), send)
                return
            if self._control and (request.path == PREFIX or request.path.startswith(PREFIX + "/")):
                reply = serve_control(self.emulator, request)
                self.emulator.settle()
                await send_reply(reply, send)
            else:
                await self._serve_api(request, scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self.emulator.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve_api(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        request.in_flight = self._in_flight
        self.emulator.counters.serving(self._in_flight)
        try:
            reply = await self._answer(request)
        except ConnectionDroppedError as dropped:
            await _drop(scope, receive, reset=str(dropped) == "reset")
        else:
            await send_reply(reply, send)
        finally:
            self._in_flight -= 1

    async def _answer(self, request: Request) -> Reply:
        emulator = self.emulator
        operation = emulator.operation(request)
        emulator.counters.request(operation)
        rule = emulator.faults.take(operation)
        if rule is not None:
            early = await self._strike(rule)
            if early is not None:
                return early
        refusal = emulator.admit(request, operation)
        if refusal is not None:
            return refusal
        started = time.perf_counter()
        try:
            if rule is not None and rule.action == "apply_late":
                emulator.postpone(request, operation, rule.delay_s)
                raise ConnectionDroppedError
            await emulator.latency.wait(operation)
            emulator.catch_up()
            reply = emulator.handle(request, operation)
        finally:
            emulator.finished(request, operation, time.perf_counter() - started)
            emulator.settle()
        if rule is not None and rule.action == "drop_after":
            raise ConnectionDroppedError
        return reply

    async def _strike(self, rule: FaultRule) -> Reply | None:
        if rule.delay_s > 0 and rule.action != "apply_late":
            await asyncio.sleep(rule.delay_s)
        match rule.action:
            case "status" | "body":
                return self.emulator.fault_reply(rule)
            case "drop_before":
                raise ConnectionDroppedError
            case "reset":
                raise ConnectionDroppedError("reset")
            case _:
                return None


async def _drop(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """End the connection without a byte of response: closed in good order, or reset."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT_EXTENSION]["transport"]
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
