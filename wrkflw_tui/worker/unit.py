"""`wrkflw-tui worker --systemd`: the worker as a service of one's own, as a unit for systemd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wrkflw_tui.config import Config

STOP_SECONDS = 20
"""How long the worker may take to hand over its runs before it is killed."""


def unit(config: Config, max_runs: int | None = None) -> str:
    """Return a user unit that serves this folder and this file."""
    command = [
        *(sys.executable, "-m", "wrkflw_tui", "worker"),
        *("--folder", str(config.folder), "--database", str(config.database)),
        *(() if max_runs is None else ("--max-runs", str(max_runs))),
    ]
    # Only the worker is told to stop: it hands over its runs, and knows what they leave alone.
    return f"""\
# To be kept as ~/.config/systemd/user/wrkflw-tui.service; then
# systemctl --user daemon-reload && systemctl --user enable --now wrkflw-tui
# To have it run while you are logged out: loginctl enable-linger

[Unit]
Description=wrkflw-tui worker of {_escaped(str(config.folder))}

[Service]
ExecStart={" ".join(_quoted(word) for word in command)}
KillMode=process
TimeoutStopSec={STOP_SECONDS}
Restart=on-failure
RestartSec=1

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    inner = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{inner}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
