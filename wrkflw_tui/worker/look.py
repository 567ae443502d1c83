"""A look at automation files, in a process of its own: they may hang, exit or print.

Called with a descriptor and the files' paths: writes a JSON line to it before and after each. Ends
at once with the worker, which holds the other end of its standard input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from wrkflw_tui.worker.line import end_group, take_line
from wrkflw_tui.worker.loading import AutomationError, load_workflows


def main() -> None:
    """Look at every file named on the command line."""
    threading.Thread(target=_follow, args=(take_line(),), name="wrkflw-line", daemon=True).start()
    answers = os.fdopen(int(sys.argv[1]), "w", buffering=1, encoding="utf-8")
    for name in sys.argv[2:]:
        path = Path(name)
        answers.write(json.dumps({"begin": path.name}) + "\n")
        answers.write(json.dumps({"file": path.name, **_look(path)}) + "\n")
    answers.close()
    os._exit(0)  # threads that a file started must not hold the answer back


def _follow(line: BinaryIO) -> None:
    line.read()
    end_group()


def _look(path: Path) -> dict[str, object]:
    try:
        workflows = load_workflows(path)
        return {
            "workflows": [
                {
                    "workflow_id": workflow.id,
                    "description": workflow.description,
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
        return {"error": str(error), "line": error.line, "traceback": error.trace}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "line": None, "traceback": ""}


if __name__ == "__main__":
    main()
