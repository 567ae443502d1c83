"""What a step of an automation takes, told by a process of its own: importing one may do anything.

Called with the file, the workflow's id and the step's path; the last line that it prints is JSON.
Run records do not keep these schemas: they would make every run's definition many times as long.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from wrkflw_tui.engine.errors import UnknownPath
from wrkflw_tui.engine.run import step_input_schema
from wrkflw_tui.worker.loading import AutomationError, load_workflows


def main() -> None:
    """Print the schema of the input, or what is wrong."""
    file, workflow_id, path = sys.argv[1:]
    print("\n" + json.dumps(_ask(Path(file), workflow_id, path)), flush=True)
    os._exit(0)  # threads that the file started must not hold the answer back


def _ask(file: Path, workflow_id: str, path: str) -> dict[str, object]:
    try:
        workflow = load_workflows(file).get(workflow_id)
        if workflow is None:
            return {"broken": f"holds no workflow {workflow_id!r}"}
        return {"schema": step_input_schema(workflow.nodes, path).json_schema()}
    except AutomationError as error:
        return {"broken": str(error)}
    except UnknownPath as error:
        return {"error": str(error)}


if __name__ == "__main__":
    main()
