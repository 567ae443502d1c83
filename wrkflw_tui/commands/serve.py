"""`wrkflw-tui serve`: workflows started by HTTP requests, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import stat
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import DONE, WrongCall
from wrkflw_tui.commands.printing import is_terminal, say
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.store.file import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from wrkflw_tui.config import Config

TOKEN_VARIABLE = "WRKFLW_TOKEN"
GRACE = 10.0
"""Seconds that requests may take to be answered once the server is to end."""


class NotServed(WrkflwError):
    """The server cannot begin; says why."""


def serve(config: Config, host: str, port: int, token: str | None) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP. Raises `NotServed`, `WrongCall`, `StorageError`."""
    prepare(config.database)
    file = config.database.with_name("token")
    if token is None:
        token = os.environ.get(TOKEN_VARIABLE) or None
    if token is not None:
        _check(token, f"the token of --token or {TOKEN_VARIABLE}")
        kept = None
    else:
        token, kept = _kept_token(file), file
    asyncio.run(_serve(config, host, port, token, kept))
    return DONE


def _check(token: str, what: str) -> None:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise WrongCall(f"{what} must be characters of ASCII, without spaces")


def _kept_token(file: Path) -> str:
    """Return the token that is kept beside the record; the first call makes it."""
    try:
        if not file.exists():
            _make_token(file)
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise NotServed(f"others may read the token in {file}: remove it, to have a new one")
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotServed(f"cannot keep the token in {file}: {reason}") from error
    _check(token, f"the token in {file}")
    return token


def _make_token(file: Path) -> None:
    """Write a token, whole or not at all; of two servers that do so at once one is the first."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".token-")  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as made:
            made.write(f"{secrets.token_urlsafe(32)}\n")
            made.flush()
            os.fsync(made.fileno())
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        os.unlink(name)


async def _serve(config: Config, host: str, port: int, token: str, kept: Path | None) -> None:
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.triggers.http import Server

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    database = Database(config.database)
    server = Server(config, database, say)
    runner: web.AppRunner | None = None
    try:
        runner, address = await _listen(server.app(token, host), host, port)
        _tell(address, host, token, kept, has_worker=await server.take_up())
        await stopped.wait()
    finally:
        server.stop()
        if runner is not None:
            await runner.cleanup()
        await database.close()
    say("stopped; runs go on")


async def _listen(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Begin to listen; return the address, with the port that it became."""
    from aiohttp import web

    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, UnicodeError) as error:
        await runner.cleanup()
        raise NotServed(f"cannot listen to {host} port {port}: {_reason(error)}") from error
    shown = f"[{host}]" if ":" in host else host
    return runner, f"http://{shown}:{runner.addresses[0][1]}"


def _reason(error: OSError | UnicodeError) -> str:
    """Say briefly why: asyncio words the system's errors at length."""
    import socket

    if isinstance(error, UnicodeError) or not error.errno:
        return str(error)
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _tell(address: str, host: str, token: str, kept: Path | None, *, has_worker: bool) -> None:
    from wrkflw_tui.triggers.refusals import is_loopback

    say(f"listening to {address}")
    if kept is None:
        say(f"requests need the token of --token or {TOKEN_VARIABLE}")
    else:
        say(f"requests need the token in {kept}")
        if is_terminal(sys.stderr):
            say(f"  Authorization: Bearer {token}")
    if not is_loopback(host):
        say("others can reach it, by plain HTTP: whoever reads along has the token")
    if not has_worker:
        say("no worker is there: a run that is asked for starts one in the background")
