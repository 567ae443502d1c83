"""A look at automation files, in a process of its own: they may hang, exit or print.

Called with a descriptor and the files' paths: writes a JSON line to it before and after each. Ends
at once with the worker, which holds the other end of its standard input: its first line is what
`.env` holds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from wrkflw_tui.engine.errors import printable
from wrkflw_tui.engine.masking import known
from wrkflw_tui.worker.folder import stamps
from wrkflw_tui.worker.imports import local_imports
from wrkflw_tui.worker.line import end_group, take_line
from wrkflw_tui.worker.loading import AutomationError, load_workflows


def main() -> None:
    """Look at every file named on the command line."""
    line = take_line()
    secrets: dict[str, str] = json.loads(line.readline() or "{}")
    os.environ.update(secrets)
    known.add_all(secrets)
    threading.Thread(target=_follow, args=(line,), name="wrkflw-line", daemon=True).start()
    answers = os.fdopen(int(sys.argv[1]), "w", buffering=1, encoding="utf-8")
    for name in sys.argv[2:]:
        path = Path(name)
        answers.write(json.dumps({"begin": path.name, "imports": _imports(path)}) + "\n")
        answers.write(json.dumps({"file": path.name, **_look(path)}) + "\n")
    answers.close()
    os._exit(0)  # threads that a file started must not hold the answer back


def _follow(line: BinaryIO) -> None:
    line.read()
    end_group()


def _imports(path: Path) -> str:
    """Say what the file imports of its folder, and how that is before it is imported."""
    names = [str(found.relative_to(path.parent)) for found in local_imports(path)]
    return stamps(path.parent, names)


def _look(path: Path) -> dict[str, object]:
    try:
        workflows = load_workflows(path)
        return {
            "workflows": [
                {
                    "workflow_id": workflow.id,
                    "description": printable(workflow.description),
                    "tags": workflow.tags,
                    "input_schema": json.dumps(workflow.input_schema.json_schema()),
                    "output_schema": json.dumps(workflow.output_schema.json_schema()),
                    "graph": workflow.graph,
                    "steps_total": workflow.leaf_count,
                    "definition_hash": workflow.definition_hash,
                    "max_concurrent_runs": workflow.max_concurrent_runs,
                    "schedules": [asdict(planned) for planned in workflow.schedules],
                }
                for workflow in workflows.values()
            ]
        }
    except AutomationError as error:
        said, trace = printable(str(error)), printable(error.trace)
        return {"error": said, "line": error.line, "traceback": trace}
    except Exception as error:
        said = printable(f"{type(error).__name__}: {error}")
        return {"error": said, "line": None, "traceback": ""}


if __name__ == "__main__":
    main()
