"""Drawings know no screen and no record: whoever has a definition can draw it."""

from __future__ import annotations

import subprocess
import sys


def test_drawing_loads_no_screen_and_no_record() -> None:
    names = "text, mermaid, state, definition, marks, words, canvas"
    code = f"import sys; from wrkflw_tui.drawing import {names}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"textual", "sqlite3", "pydantic", "wrkflw_tui.store", "wrkflw_tui.tui"}
