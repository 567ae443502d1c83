"""The ways in which something follows: a notification, a command, a webhook.

Each returns what the other side said, or raises: `NotDelivered` may do better the next time,
`Undeliverable` will not.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import TYPE_CHECKING

from wrkflw_tui.config import DATABASE_VARIABLE, FOLDER_VARIABLE
from wrkflw_tui.drawing.deliveries import headline
from wrkflw_tui.drawing.words import one_line
from wrkflw_tui.worker.command import run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httpx2 import AsyncClient, Response

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.ends import End
    from wrkflw_tui.store.follow_ups import Event

LIMIT = 30.0
"""Seconds that an attempt may take."""
ANSWER_KEPT = 2048
"""Bytes of a server's answer that are kept."""
REASON_SHOWN = 300
"""Characters of the reason that a notification shows."""


class NotDelivered(Exception):
    """An attempt failed; `output` is what the other side said."""

    def __init__(self, reason: str, output: str | None = None) -> None:
        super().__init__(reason)
        self.output = output


class Undeliverable(NotDelivered):
    """No other attempt would do better."""


async def run(end: End, command: Sequence[str], config: Config, limit: float = LIMIT) -> str:
    """Run a command in the automations' folder; return the end of what it printed."""
    environment = {
        "WRKFLW_RUN_ID": end.run_id,
        "WRKFLW_WORKFLOW_ID": end.workflow_id,
        "WRKFLW_STATUS": end.status,
        "WRKFLW_EVENT": end.event,
        "WRKFLW_DELIVERY_ID": end.delivery_id,
        # So that `wrkflw-tui` in it speaks of the same record.
        FOLDER_VARIABLE: str(config.folder),
        DATABASE_VARIABLE: str(config.database),
    }
    try:
        ended = await run_command(command, config.folder, environment, end.document(), limit)
    except OSError as error:
        raise NotDelivered(f"it cannot be started: {error.strerror or error}") from error
    if ended.code is None:
        raise NotDelivered(f"it took longer than {limit:g} s and was killed", ended.output)
    if ended.code != 0:
        last = one_line(ended.output.rstrip().rpartition("\n")[2])
        said = f": {last}" if last else ""
        raise NotDelivered(f"exit code {ended.code}{said}", ended.output)
    return ended.output


async def post(end: End, url: str, limit: float = LIMIT) -> str:
    """Post the end to an address; return what the server answered.

    It may come twice: the server tells by the `Idempotency-Key`. A redirect is not followed, for
    what is in the document was meant for this address alone.
    """
    headers = {"Content-Type": "application/json", "Idempotency-Key": end.delivery_id}
    content = end.document().encode("utf-8", "backslashreplace")
    try:
        async with asyncio.timeout(limit), await asyncio.to_thread(_client) as client:
            request = client.build_request("POST", url, headers=headers, content=content)
            response = await client.send(request, stream=True)
            answer = await _beginning(response)
            await response.aclose()
    except TimeoutError:
        raise NotDelivered(f"no answer within {limit:g} s") from None
    except Exception as error:  # the library's, the system's, or that of an odd address
        raise NotDelivered(f"{type(error).__name__}: {error}") from error
    if response.is_redirect:
        where = response.headers.get("Location", "")
        raise NotDelivered(f"HTTP {response.status_code}: redirected to {where}", answer)
    if not response.is_success:
        reason = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        raise NotDelivered(reason, answer)
    return answer


def _client() -> AsyncClient:
    """Return a client, on another thread: the import and the certificates take their time."""
    from httpx2 import AsyncClient

    return AsyncClient(timeout=None)


async def _beginning(response: Response) -> str:
    kept = bytearray()
    async for chunk in response.aiter_bytes():
        kept += chunk
        if len(kept) >= ANSWER_KEPT:
            break
    return kept[:ANSWER_KEPT].decode("utf-8", "backslashreplace")


async def notify(end: End, config: Config, limit: float = LIMIT) -> str:
    """Show a notification on the desktop of whoever the worker runs for."""
    title = headline(end.workflow_id, end.event)
    command = _notifier(title, one_line(end.reason)[:REASON_SHOWN], end.event)
    return await run(end, command, config, limit)


def _notifier(title: str, body: str, event: Event) -> list[str]:
    if (program := shutil.which("notify-send")) is not None:
        urgency = "low" if event == "success" else "normal"
        return [program, "--app-name=wrkflw-tui", f"--urgency={urgency}", "--", title, body]
    if sys.platform == "darwin" and (program := shutil.which("osascript")) is not None:
        # As arguments, not within the script: what a run says is never AppleScript.
        shown = "display notification (item 2 of argv) with title (item 1 of argv)"
        script = f"on run argv\n{shown}\nend run"
        return [program, "-e", script, title, body]
    raise Undeliverable(
        "nothing here shows notifications: install notify-send (the package libnotify-bin or"
        " libnotify)"
    )
