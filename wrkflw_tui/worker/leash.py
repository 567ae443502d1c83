"""Keeps a command from outliving the worker: a process between the two.

Called with a descriptor and the command. The descriptor is a pipe whose other end only the worker
has: when that breaks, the command ends, with all that it started in its group.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from wrkflw_tui.worker.line import end_group

NOT_FOUND = 127
"""What a shell makes of a command that cannot be started."""


def main() -> None:
    """Run the command and end as it does."""
    life = int(sys.argv[1])
    threading.Thread(target=_follow, args=(life,), name="wrkflw-life", daemon=True).start()
    try:
        code = subprocess.call(sys.argv[2:])
    except OSError as error:
        print(f"{sys.argv[2]} cannot be started: {error.strerror or error}", file=sys.stderr)
        code = NOT_FOUND
    sys.stderr.flush()
    os._exit(code if code >= 0 else 128 - code)


def _follow(life: int) -> None:
    os.read(life, 1)
    end_group()


if __name__ == "__main__":
    main()
