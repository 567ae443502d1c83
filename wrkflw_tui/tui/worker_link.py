"""What the app asks of the background worker, whoever provides it."""

from __future__ import annotations

from typing import Protocol


class WorkerLink(Protocol):
    """The app's hold on a background worker."""

    @property
    def status(self) -> str:
        """How it is with the worker, for the status line: `worker ready`, or what is wrong."""
        ...

    async def start(self) -> None:
        """Start a worker, if no other holds the lease. Called after the first frame."""
        ...

    async def check(self) -> None:
        """Look after the worker; called every second."""
        ...

    async def stop(self) -> None:
        """Stop it gently: unfinished runs are queued, and go on with the next worker."""
        ...

    async def stop_all(self) -> None:
        """Like `stop`, also where somebody else has started it. Says why where it goes on."""
        ...

    async def leave(self) -> None:
        """Let it go on in the background without the app."""
        ...
