-- How many runs of a workflow may go at once; NULL: as many as there is room for.

ALTER TABLE wrkflw_workflows ADD COLUMN max_concurrent_runs INTEGER;

-- The head of each workflow's queue.
CREATE INDEX wrkflw_runs_queued_by_workflow ON wrkflw_workflow_runs (workflow_id, priority DESC, id)
    WHERE status = 'queued' AND trigger <> 'library';

-- What was catalogued before says nothing of limits: each file is looked at once more.
UPDATE wrkflw_automation_files SET mtime_ns = 0;
