"""A way of following that does not come to an end is given up in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from worker.receiver import receiving

from wrkflw_tui.config import Config
from wrkflw_tui.store.ends import End
from wrkflw_tui.worker import ways
from wrkflw_tui.worker.ways import NotDelivered

if TYPE_CHECKING:
    from pathlib import Path

END = End("d", "r", "job", "success", '{"a": 1}', None, (), 1, 2, 3, 0)


async def test_a_server_that_does_not_answer() -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        with pytest.raises(NotDelivered, match=r"^no answer within 1\.5 s$"):
            await ways.post(END, receiver.url, limit=1.5)
        assert [document["result"] for _, document in receiver.got] == [{"a": 1}]


async def test_an_answer_without_end() -> None:
    is_over = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x" * 1000)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.transport.abort()
        is_over.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await ways.post(END, f"http://127.0.0.1:{port}/", limit=20)
        await asyncio.wait_for(is_over.wait(), 20)  # nobody listens to it any more
    assert answer == "x" * ways.ANSWER_KEPT


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:99999/", "http://no[host/", "https://x y"]
)
async def test_an_odd_address_is_an_error_like_any_other(url: str) -> None:
    with pytest.raises(NotDelivered):
        await ways.post(END, url, limit=20)


async def test_a_command_that_takes_too_long(tmp_path: Path) -> None:
    config = Config(tmp_path, tmp_path / "db")
    with pytest.raises(NotDelivered, match=r"longer than 1\.5 s and was killed") as caught:
        await ways.run(END, ["sh", "-c", "echo begun; sleep 300"], config, limit=1.5)
    assert caught.value.output == "begun\n"


async def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    config = Config(tmp_path / "gone", tmp_path / "db")
    with pytest.raises(NotDelivered, match="cannot be started: No such file"):
        await ways.run(END, ["true"], config)
