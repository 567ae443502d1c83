"""What authors test their workflows with: runs in memory, and a clock that the test turns."""

from __future__ import annotations

from wrkflw_tui.engine.context import Bail, Suspend
from wrkflw_tui.testing.clock import Clock
from wrkflw_tui.testing.contexts import RecordedContext, step_context
from wrkflw_tui.testing.tester import WorkflowTester

__all__ = ["Bail", "Clock", "RecordedContext", "Suspend", "WorkflowTester", "step_context"]
