"""How soon the app shows its first full frame, beside a bare Textual app in the same run.

    python tests/benchmarks/first_frame.py [ROUNDS]

Each round spawns both on a pseudo-terminal of 120 by 40, and reads until the text drawn last is
there. The record holds 50 workflows and 1,000 runs. Bytecode is kept between the rounds, as it is
of whatever is installed, whether or not the environment says to write none.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("bare app is here")
Bare().run()
"""
BYTECODE: dict[str, str] = {}
"""Where the processes keep it: outside the checkout."""
ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]")


def first_frame(command: list[str], marks: list[bytes], limit: float = 20.0) -> float:
    """Return the milliseconds from the spawn until every mark was on the screen."""
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", **BYTECODE)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.execv(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen = text = b""
    try:
        while time.perf_counter() - started < limit:
            if select.select([terminal], [], [], 0.01)[0]:
                seen += os.read(terminal, 65536)
                text = ESCAPES.sub(b"", seen)
                if all(mark in text for mark in marks):
                    return (time.perf_counter() - started) * 1000
    finally:
        os.kill(pid, signal.SIGTERM)
        end_of(terminal)
        os.waitpid(pid, 0)
    raise TimeoutError(f"{command} did not show {marks} in {limit} s: {text[-2000:]!r}")


def end_of(terminal: int) -> None:
    """Read what is left, so that the application can end."""
    deadline = time.perf_counter() + 10
    try:
        while time.perf_counter() < deadline:
            if select.select([terminal], [], [], 0.2)[0] and not os.read(terminal, 65536):
                return
    except OSError:
        return
    finally:
        os.close(terminal)


def fill(path: Path, automations: Path, workflows: int = 50, runs: int = 1000) -> None:
    """Make a record with that many workflows, each with its file, and runs."""
    from wrkflw_tui.store import catalog, graphs
    from wrkflw_tui.store.file import closing_connection, prepare, transaction

    prepare(path)
    schema = json.dumps({"type": "object", "properties": {"name": {"type": "string"}}})
    graph = json.dumps([{"kind": "step", "id": f"step-{n}", "description": ""} for n in range(5)])
    now = time.time_ns() // 1000
    with closing_connection(path) as connection, transaction(connection):
        for n in range(workflows):
            id = f"workflow-{n:02}"
            source = automations / f"{id}.py"
            source.write_text("")
            stat = source.stat()  # as found at the last look: there is no reason for another
            file = catalog.AutomationFile(source.name, stat.st_size, stat.st_mtime_ns, "ok")
            entry = catalog.CatalogEntry(
                id, file.file, f"Number {n}", (), schema, schema, graph, 5, "hash"
            )
            catalog.record_file(connection, file, [entry])
        graph_id = graphs.keep(connection, graph)
        connection.executemany(
            "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, input,"
            " graph_id, steps_done, steps_total, created_at, updated_at, started_at, finished_at,"
            " revision)"
            " VALUES (?, ?, 'success', 'app', '{}', ?, 5, 5, ?, ?, ?, ?, ?)",
            [
                (
                    f"run-{n}",
                    f"workflow-{n % workflows:02}",
                    graph_id,
                    now - (runs - n) * 60_000_000,
                    now - (runs - n) * 60_000_000,
                    now - (runs - n) * 60_000_000,
                    now - (runs - n) * 60_000_000 + 1_000_000 * (n % 7 + 1),
                    n + 1000,
                )
                for n in range(runs)
            ],
        )
        connection.execute("UPDATE wrkflw_revision SET revision = ?", (runs + 2000,))


def main() -> None:
    """Measure in turns and print both, with their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    with tempfile.TemporaryDirectory() as folder:
        BYTECODE["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        bare_file = Path(folder) / "bare.py"
        bare_file.write_text(BARE)
        automations = Path(folder) / "automations"
        automations.mkdir()
        database = Path(folder) / "wrkflw.db"
        fill(database, automations)
        bare = [sys.executable, str(bare_file)]
        ours = [
            *(sys.executable, "-m", "wrkflw_tui", "--folder", str(automations)),
            *("--database", str(database)),
        ]
        times: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(rounds + 1):
            times["bare"].append(first_frame(bare, [b"bare app is here"]))
            times["ours"].append(first_frame(ours, [b"workflow-00", b"Number 0"]))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:5} {medians[name]:6.0f} ms  ({min(values[1:]):.0f} to {max(values[1:]):.0f})")
    print(f"ratio {medians['ours'] / medians['bare']:.2f}")


if __name__ == "__main__":
    main()
