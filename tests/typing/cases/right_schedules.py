"""Schedules of a workflow: must pass both checkers."""

from datetime import UTC, date, datetime, timedelta
from typing import assert_type

from wrkflw_tui import Schedule, Workflow, create_workflow, step


@step
def work(value: int) -> str:
    return str(value)


workflow = (
    create_workflow(
        id="job",
        input_schema=int,
        output_schema=str,
        schedules=(
            Schedule("0 8 * * 1-5", input_data=1),
            Schedule(cron="@daily", input_data=1, timezone="Europe/Berlin", overlap="queue_one"),
            Schedule(every="15m", input_data=1, catch_up="all", late_limit="unlimited"),
            Schedule(every=timedelta(hours=1), input_data=1, jitter="1m", id="often"),
            Schedule(once=datetime(2030, 1, 1, tzinfo=UTC), input_data=1, max_runs=1),
            Schedule(once="2030-01-01T08:00", input_data=1, exclude=[date(2030, 1, 1), "2030-01-02"]),
        ),
    )
    .then(work)
    .commit()
)
assert_type(workflow, Workflow[int, str])
