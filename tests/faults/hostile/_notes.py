"""What the automations here tell a test, in a file beside them."""

import os


def note(text: str) -> None:
    """Add a line; by system calls alone, for much else may be broken here."""
    descriptor = os.open(os.path.join(os.path.dirname(__file__), "notes.txt"), FLAGS, 0o600)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


FLAGS = os.O_CREAT | os.O_WRONLY | os.O_APPEND
