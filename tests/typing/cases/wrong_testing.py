"""What a type checker tells an author of a wrong test."""

from __future__ import annotations

from wrkflw_tui import create_workflow, step
from wrkflw_tui.testing import Clock, WorkflowTester, step_context


@step
async def double(value: int) -> int:
    return value * 2


flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(double).commit()


async def wrong_runs() -> None:
    async with WorkflowTester(flow) as tester:
        await tester.run("seven")  # E: str|Literal
        text: str = await tester.run(7)  # E: int
        calls: list[str] = tester.calls(double)  # E: int|str
        print(text, calls)


def wrong_scripts() -> None:
    WorkflowTester(flow, replace={"double": 4})  # E: int
    WorkflowTester(flow, fail={"double": OSError()})  # E: OSError
    WorkflowTester(flow, fail={"double": [KeyboardInterrupt()]})  # E: KeyboardInterrupt
    WorkflowTester(double)  # E: Step


async def wrong_contexts() -> None:
    await double("x", step_context(double))  # E: str|Literal
    step_context(double, results={double.id: 1})  # E: str
    Clock("noon")  # E: str|Literal
