-- The open questions of all runs are found without a look at runs and steps that ask nothing.

CREATE INDEX wrkflw_runs_live ON wrkflw_workflow_runs (id)
    WHERE status IN ('queued', 'running', 'sleeping', 'suspended');
CREATE INDEX wrkflw_steps_asking ON wrkflw_step_results (run) WHERE status = 'suspended';
