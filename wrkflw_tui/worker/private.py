"""What a runner hands to its worker: pipes of some of its children, and secrets to mask."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wrkflw_tui.engine.context import current_step, is_side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b"*"
"""How a message with a secret begins; one with a pipe begins with the number of the stream."""


def install(descriptor: int) -> socket.socket:
    """Let children that would inherit the output beside another step have pipes of their own.

    They are handed to the worker over the socket that `descriptor` is, which is returned.
    """
    os.set_inheritable(descriptor, False)
    hand = socket.socket(fileno=descriptor)
    _give_pipes(hand)
    return hand


def giver(hand: socket.socket) -> Callable[[str, str], None]:
    """Return what hands the worker a secret over that socket, by its name and value."""

    def give_secret(name: str, value: str) -> None:
        message = json.dumps([name, value]).encode()
        with suppress(OSError):
            hand.send(SECRET + message)

    return give_secret


def _give_pipes(hand: socket.socket) -> None:
    name = "_execute_child"  # asyncio's subprocesses come by here too
    real: Callable[..., Any] = getattr(subprocess.Popen, name)
    # The positions in CPython's own signature; where that differs nothing is replaced.
    places = _places(real)
    if places is None:
        return
    out, err = places

    def execute(popen: subprocess.Popen[Any], *arguments: Any) -> Any:
        if not is_side_by_side.get() or len(arguments) <= max(out, err):
            return real(popen, *arguments)
        given = list(arguments)
        opened: list[int] = []
        is_joined = given[out] == -1 and given[err] == 1  # stderr=STDOUT
        for place, stream in ((out, b"1"), (err, b"2")):
            if given[place] == -1 and (pipe := _hand_on(hand, stream)) is not None:
                given[place] = pipe
                opened.append(pipe)
        if is_joined:
            given[err] = given[out] if given[out] != -1 else 1
        try:
            return real(popen, *given)
        finally:
            for pipe in opened:
                with suppress(OSError):  # the real one may have closed it
                    os.close(pipe)

    setattr(subprocess.Popen, name, execute)


def _places(real: Callable[..., Any]) -> tuple[int, int] | None:
    names = real.__code__.co_varnames[: real.__code__.co_argcount]
    if "c2pwrite" not in names or "errwrite" not in names:
        return None
    return names.index("c2pwrite") - 1, names.index("errwrite") - 1


def _hand_on(hand: socket.socket, stream: bytes) -> int | None:
    """Make a pipe, give the worker its end, and return the child's."""
    try:
        ours, theirs = os.pipe()
    except OSError:
        return None  # too many open files: the child inherits as ever
    try:
        path = current_step.get().encode("utf-8", "backslashreplace")[:4000]
        os.set_blocking(ours, False)
        socket.send_fds(hand, [stream + path], [ours])
    except OSError:
        os.close(theirs)
        return None
    finally:
        os.close(ours)
    return theirs
