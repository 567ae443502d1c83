"""Where runs are kept and secrets are found: filled in by the package itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.journal import RunStorage

storage_factory: Callable[[], RunStorage] | None = None
"""Gives the configured storage. The engine knows no files, so it is handed this."""

secret_finder: Callable[[str], str] | None = None
"""Gives the secret of a name, or raises `SecretNotFound`."""
