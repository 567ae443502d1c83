-- How much of each run's log is kept, and what of its middle had to go.

CREATE TABLE wrkflw_log_sizes (
    run           INTEGER PRIMARY KEY REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    kept          INTEGER NOT NULL,              -- bytes in its stretches
    head          INTEGER,                       -- the last stretch that never goes; n + 1 is left free
    dropped_lines INTEGER NOT NULL DEFAULT 0,
    dropped_size  INTEGER NOT NULL DEFAULT 0
) STRICT;
