"""Clients that read nothing lose their connection; those that read slowly keep it."""

import asyncio
import json
import socket

import pytest

pytest.importorskip("uvicorn")

SECONDS = 0.2
BYTES = 30_000_000  # more than the buffers of a connection hold


class Plain(asyncio.Protocol):
    """Sends much at once, and notes how its connection ends."""

    def __init__(self, lost: asyncio.Future) -> None:
        self.lost = lost

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(bytes(BYTES))
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(self.transport.get_write_buffer_size())


async def received(reads: bool) -> tuple[int, int]:
    """What a client got, and what was left when its connection was lost."""
    from mamtra.server.reading_timeout import dropping

    loop = asyncio.get_running_loop()
    lost, protocol = loop.create_future(), dropping(Plain, SECONDS)
    server = await loop.create_server(lambda: protocol(lost), "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    client.setblocking(False)
    got = 0
    try:
        while reads and (part := await loop.sock_recv(client, 1_000_000)):
            got += len(part)
        return got, await asyncio.wait_for(lost, 30)
    finally:
        client.close()
        server.close()


def test_who_reads_nothing_is_dropped_and_who_reads_gets_all() -> None:
    got, _ = asyncio.run(received(reads=True))
    assert got == BYTES
    asyncio.run(received(reads=False))


TEXT = "This goes on and on without an end. " * 150
FORM = {"response_format": "pcm", "sample_rate": 48_000}


def ends(running) -> None:
    """The server keeps nothing of a client that has come and reads nothing."""
    running.wait_for(lambda: bool(running.service.speaking))
    running.wait_for(lambda: not running.server.server_state.connections, 60)
    running.wait_for(lambda: not running.state.utterances)
    running.wait_for(lambda: running.service.idle)


@pytest.mark.slow
def test_a_server_keeps_no_connection_of_who_reads_nothing(start_server) -> None:
    running = start_server(slots=1, write_seconds=0.3, max_chars=100_000)
    client = running.post_raw({"input": TEXT, **FORM})
    ends(running)
    client.close()


@pytest.mark.slow
def test_a_server_keeps_no_session_of_who_reads_nothing(start_server) -> None:
    sync = pytest.importorskip("websockets.sync.client")
    running = start_server(slots=1, write_seconds=0.3, max_chars=100_000)
    address = f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream"
    # the client's thread stops to read when a few frames wait
    with sync.connect(address, max_queue=1, ping_interval=None) as client:
        client.send(json.dumps({"type": "session.config", **FORM}))
        for _ in range(2):
            client.send(json.dumps({"type": "input.text", "text": TEXT}))
        client.send(json.dumps({"type": "input.done"}))
        ends(running)
