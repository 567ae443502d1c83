"""The marks that a runner puts into its output, as both sides know them.

A frame is what Python wrote, with its step and its instant; a spawn mark says to which step
unmarked output belongs from there on. The nonce keeps an automation from forging them by accident.
"""

from __future__ import annotations

MARK = "\x1e"
END = "\x1f"
ATOMIC = 4096
"""Bytes that a pipe takes as a whole: nothing of a child's comes between them."""


def frame(nonce: str, path: str, at: int, length: int) -> bytes:
    """Return what goes before `length` bytes that a step wrote."""
    return f"{MARK}{nonce}:{length}:{at}:{path}{END}".encode("utf-8", "backslashreplace")


def spawn(nonce: str, path: str, at: int) -> bytes:
    """Return what gives the unmarked output that follows to a step."""
    return f"{MARK}{nonce}=1:{at}:{path}{END}\n".encode("utf-8", "backslashreplace")
