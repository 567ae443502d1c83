"""`wrkflw-tui cancel`: runs ended before they are through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import DONE, FAILED
from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import reading, write
from wrkflw_tui.engine.errors import RunEnded
from wrkflw_tui.store import claims, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.config import Config


def cancel(config: Config, texts: Sequence[str]) -> int:
    """Cancel runs; what one of them has done stays on record. Returns 1 if any had ended."""
    with reading(config) as connection:
        run_ids = [runs.find_run(connection, text) for text in texts]
    code = DONE
    for run_id in run_ids:
        try:
            status = write(config, lambda c, id=run_id: claims.request_cancel(c, id))
        except RunEnded as error:
            say(f"wrkflw-tui: {error}")
            code = FAILED
        else:
            at_work = f"{run_id}: asked to cancel, within five seconds it has ended"
            say(f"{run_id}: cancelled" if status == "cancelled" else at_work)
    return code
