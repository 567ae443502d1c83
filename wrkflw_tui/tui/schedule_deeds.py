"""What a person does to schedules, from whichever screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.store.schedules import ScheduleRow
    from wrkflw_tui.tui.app import WrkflwApp


async def add_schedule(app: WrkflwApp, workflow_id: str | None) -> None:
    """Ask for a schedule and put it on record."""
    from wrkflw_tui.tui.screens.schedule_editor import ScheduleEditor

    entries = app.known.catalog.workflows
    if not entries:
        app.say("there is no workflow to schedule yet")
        return
    made = await app.push_screen_wait(ScheduleEditor(entries, workflow_id, app.clock()))
    if made is None:
        return
    now = _now(app)

    def put(connection: sqlite3.Connection) -> str:
        from wrkflw_tui.schedules import actions

        return actions.add(connection, made.workflow_id, made.terms, made.input, now, made.zone)

    if await app.write(put) is not None:
        app.say(f"{made.workflow_id} is scheduled")


async def change_schedule(app: WrkflwApp, row: ScheduleRow) -> None:
    """Ask what is to change about a schedule; one in code is changed in its file."""
    if row.source == "code" and row.file is not None:
        from wrkflw_tui.tui import deeds

        await deeds.edit(app, app.config.folder / row.file, _line(app, row))
        return
    from wrkflw_tui.tui.screens.schedule_editor import ScheduleEditor

    if app.known.workflow(row.workflow_id) is None:
        app.complain(f"{row.workflow_id} is not in the folder any more")
        return
    entries = app.known.catalog.workflows
    made = await app.push_screen_wait(ScheduleEditor(entries, row.workflow_id, app.clock(), row))
    if made is None:
        return
    now = _now(app)

    def change(connection: sqlite3.Connection) -> None:
        from wrkflw_tui.schedules import actions

        id, workflow_id = row.schedule_id, made.workflow_id
        actions.change(connection, id, made.terms, made.input, now, workflow_id)
        if made.terms.note != row.terms.note:
            actions.remark(connection, id, "")  # what is said now holds over it

    await app.write(change)


def _line(app: WrkflwApp, row: ScheduleRow) -> int | None:
    """Return the line of its workflow, where it is known."""
    files = app.known.catalog.files
    return next((file.line for file in files if file.file == row.file), None)


async def pause_or_resume(app: WrkflwApp, row: ScheduleRow) -> None:
    """Pause a schedule, or let one that is paused go on."""
    now = _now(app)

    def change(connection: sqlite3.Connection) -> None:
        from wrkflw_tui.schedules import actions

        done = actions.resume if is_held(row, now) else actions.pause
        done(connection, row.schedule_id, now)

    await app.write(change)


def is_held(row: ScheduleRow, now: float) -> bool:
    """Tell whether a schedule is paused, for good or until an instant that lies ahead."""
    return row.paused or (row.paused_until is not None and row.paused_until > now)


async def trigger(app: WrkflwApp, row: ScheduleRow) -> None:
    """Start a run now, as the schedule would, and show it."""
    now = _now(app)

    def work(connection: sqlite3.Connection) -> str:
        from wrkflw_tui.schedules import actions

        return actions.trigger(connection, row.schedule_id, "app", now)

    run_id = await app.write(work)
    if run_id is not None:
        app.open_run(run_id)


async def skip_next(app: WrkflwApp, row: ScheduleRow) -> None:
    """Leave out the next fire; which that was is said."""
    from wrkflw_tui.tui import text

    now = _now(app)

    def work(connection: sqlite3.Connection) -> str:
        from wrkflw_tui.schedules import actions

        skipped = actions.skip_next(connection, row.schedule_id, now)
        if skipped is None:
            return "there is no next fire to leave out"
        return f"{row.workflow_id} leaves out {text.exact(skipped)}"

    said = await app.write(work)
    if said is not None:
        app.say(said)


async def backfill(app: WrkflwApp, row: ScheduleRow) -> None:
    """Ask for a range, show what would start, and start it."""
    from wrkflw_tui.tui import text
    from wrkflw_tui.tui.screens.backfill import BackfillForm

    chosen = await app.push_screen_wait(BackfillForm(row, app.clock()))
    if chosen is None:
        return
    now = _now(app)

    def work(connection: sqlite3.Connection) -> int:
        from wrkflw_tui.schedules import actions

        return len(actions.backfill(connection, row.schedule_id, *chosen, now))

    amount = await app.write(work)
    if amount is not None:
        app.say(f"{text.count(amount, 'fire')} of {row.workflow_id} filled in")


async def remove(app: WrkflwApp, row: ScheduleRow) -> None:
    """Ask, then take a schedule off the record."""
    from wrkflw_tui.store import schedules
    from wrkflw_tui.tui.screens.confirm import Confirm

    if row.source == "code":
        app.complain(f"it stands in {row.file}: take it out there (e), or pause it (space)")
        return
    detail = f"{row.workflow_id}, {row.timing}\n\nIts runs stay on record."
    if await app.push_screen_wait(Confirm("Remove this schedule?", detail)) == "yes":
        await app.write(lambda c: schedules.remove(c, row.schedule_id))


def _now(app: WrkflwApp) -> int:
    return int(app.clock().timestamp())
