"""A process that has imported the engine, and forks runners: a fork takes milliseconds.

It has one thread, opens no record and imports no automation, so that a fork of it is as good as a
new process. Its line to the worker is a socket, which brings the descriptors of each new runner and
takes its process id back; it ends with that line. The runner is the worker's own child: its parent
here ends at once, and the worker adopts it.
"""

from __future__ import annotations

import gc
import os
import socket
import struct
import sys
from contextlib import suppress

from wrkflw_tui.worker import runner
from wrkflw_tui.worker.linux import name_process
from wrkflw_tui.worker.readiness import load_all

PID = struct.Struct("=i")
DESCRIPTORS = 5
"""Standard input, output and error, the pipe that ends with the worker, and the socket for more."""


def main() -> None:
    """Fork a runner for each request; called with the socket, the folder and the record."""
    line = socket.socket(fileno=int(sys.argv[1]))
    folder, database = sys.argv[2], sys.argv[3]
    name_process("wrkflw-forks")
    load_all()
    # What is here already is not looked at again, nor copied for it, in any runner.
    gc.collect()
    gc.freeze()
    with suppress(OSError):  # a worker that was killed leaves the line broken
        while True:
            request, descriptors, _, _ = socket.recv_fds(line, 1, DESCRIPTORS)
            if not request:
                break
            pid = _fork(descriptors, line, folder, database)
            for descriptor in descriptors:
                os.close(descriptor)
            line.sendall(PID.pack(pid))
    os._exit(0)


def _fork(descriptors: list[int], line: socket.socket, folder: str, database: str) -> int:
    """Fork twice; return the id of the runner, whose parent has ended by then, or 0."""
    read_end, write_end = os.pipe()
    with suppress(OSError):
        between = os.fork()
        if between == 0:
            with suppress(OSError):
                if os.fork() == 0:
                    os.setsid()  # before anybody knows of it: its group can be killed from then on
                    os.write(write_end, PID.pack(os.getpid()))
                    os.close(read_end)
                    os.close(write_end)
                    line.close()
                    _become(descriptors, folder, database)
            os._exit(0)
        os.waitpid(between, 0)
    os.close(write_end)
    answer = os.read(read_end, PID.size)
    os.close(read_end)
    return PID.unpack(answer)[0] if answer else 0


def _become(descriptors: list[int], folder: str, database: str) -> None:
    code = 1
    try:
        for number, descriptor in enumerate(descriptors[:3]):
            os.dup2(descriptor, number)
            os.close(descriptor)
        with suppress(OSError):
            os.chdir(folder)  # it may have been made anew since
        sys.argv = [runner.__file__]
        code = runner.serve(descriptors[3], descriptors[4], database)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
