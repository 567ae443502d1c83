"""Schedules that cannot be: each marked line must be an error to both checkers."""

from wrkflw_tui import Schedule, create_workflow

Schedule("@daily", overlap="maybe")  # E: maybe|overlap
Schedule("@daily", catch_up=True)  # E: catch_up
Schedule("@daily", "Europe/Berlin")  # E: positional
Schedule(every=15)  # E: every
Schedule("@daily", max_runs="3")  # E: max_runs
create_workflow(id="a", input_schema=int, output_schema=int, schedules=("@daily",))  # E: schedules|overload
