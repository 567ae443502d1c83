-- What is taken off the record, and what the care of the file has found.

-- Runs that are gone, for whoever shows them or pages through them; only the newest are remembered.
CREATE TABLE wrkflw_removed_runs (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,  -- whoever has seen n has missed those after it
    run        INTEGER NOT NULL,                   -- its key, which no other run is given
    run_id     TEXT    NOT NULL,
    removed_at INTEGER NOT NULL,
    is_cleared INTEGER NOT NULL DEFAULT 0          -- whether its steps and lines are gone, too
) STRICT;
CREATE INDEX wrkflw_removed_runs_by_id ON wrkflw_removed_runs (run_id);
CREATE INDEX wrkflw_removed_runs_left ON wrkflw_removed_runs (n) WHERE is_cleared = 0;

CREATE TABLE wrkflw_keeping (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    removed_revision INTEGER NOT NULL DEFAULT 0,   -- of runs no revision up to this one comes again
    removed_run      INTEGER NOT NULL DEFAULT 0,   -- nor any key
    checked_at       INTEGER,                      -- when the whole file was last looked through
    finding          TEXT                          -- what was wrong with it
) STRICT;
INSERT INTO wrkflw_keeping (id) VALUES (1);

-- A run enters it with its end: steps do not touch it.
CREATE INDEX wrkflw_runs_ended ON wrkflw_workflow_runs (workflow_id, finished_at)
    WHERE finished_at IS NOT NULL;
