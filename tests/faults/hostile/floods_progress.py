"""Says a hundred thousand times, as fast as it can, how far it is."""

from wrkflw_tui import StepContext, create_workflow, step

REPORTS = 100_000


@step
def work(value: int, context: StepContext) -> int:
    for number in range(REPORTS + 1):
        context.report_progress(number, REPORTS, f"number {number}")
    return value + 1


workflow = (
    create_workflow(id="floods-progress", input_schema=int, output_schema=int).then(work).commit()
)
