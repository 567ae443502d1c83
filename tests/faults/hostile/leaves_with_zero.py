"""Ends its process as if all were well, and leaves a child behind."""

import os
import subprocess

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


def goes_on(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def earlier() -> list[str]:
    if not os.path.exists("children.txt"):
        return []
    with open("children.txt") as file:
        return file.read().split()


@step
def work(value: int) -> int:
    if any(map(goes_on, earlier())):
        note("a child of an earlier attempt goes on")
    child = subprocess.Popen(["sleep", "600"])
    note(f"leaves-with-zero pids {child.pid}")
    with open("children.txt", "a") as file:
        file.write(f"{child.pid}\n")
    os._exit(0)


workflow = (
    create_workflow(id="leaves-with-zero", input_schema=int, output_schema=int).then(work).commit()
)
