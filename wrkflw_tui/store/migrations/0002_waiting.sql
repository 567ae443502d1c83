-- What a run waits for: sleeps, questions, events; workflow state; forks.

ALTER TABLE wrkflw_workflow_runs ADD COLUMN deadline INTEGER;      -- when its time is up
ALTER TABLE wrkflw_workflow_runs ADD COLUMN suspended_at INTEGER;  -- since when, while suspended
ALTER TABLE wrkflw_workflow_runs ADD COLUMN forked_input TEXT;     -- for the step forked at
ALTER TABLE wrkflw_workflow_runs ADD COLUMN last_event INTEGER NOT NULL DEFAULT 0;  -- starts and ends

CREATE INDEX wrkflw_runs_waking ON wrkflw_workflow_runs (wake_at)
    WHERE status IN ('sleeping', 'suspended') AND wake_at IS NOT NULL;

DROP VIEW wrkflw_snapshots;

CREATE TABLE wrkflw_step_results_2 (
    run         INTEGER NOT NULL REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,                -- where the start stands among starts and ends
    path        TEXT    NOT NULL,
    step_id     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    status      TEXT    NOT NULL CHECK (status IN ('running', 'waiting', 'suspended', 'success',
                'bailed', 'failed', 'crashed', 'interrupted')),
    input       TEXT,
    output      TEXT,
    error       TEXT,
    progress    TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    revision    INTEGER NOT NULL,
    ended       INTEGER,                         -- where the end stands among starts and ends
    wake_at     INTEGER,                         -- of a sleep, a wait or a workflow with a timeout
    question    TEXT,                            -- JSON: what it asked, or the event it awaits
    state       TEXT,                            -- JSON [scope, fields]: what it changed of the state
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
INSERT INTO wrkflw_step_results_2
SELECT run, n, path, step_id, kind, attempt, status, input, output, error, progress, started_at,
       finished_at, revision, CASE WHEN finished_at IS NULL THEN NULL ELSE n END, NULL, NULL, NULL
  FROM wrkflw_step_results;
DROP TABLE wrkflw_step_results;
ALTER TABLE wrkflw_step_results_2 RENAME TO wrkflw_step_results;

DROP TABLE wrkflw_messages;
CREATE TABLE wrkflw_messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: listeners ask for newer ones
    run        INTEGER NOT NULL REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL CHECK (kind IN ('answer', 'event', 'cancel')),
    path       TEXT    NOT NULL DEFAULT '',        -- of an answer: the step that asked
    name       TEXT    NOT NULL DEFAULT '',        -- the question's key, the event's name
    payload    TEXT,                               -- JSON
    refused    TEXT,                               -- why the step could not take the answer
    taken_by   INTEGER,                            -- the wait (n) that an event went to
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX wrkflw_messages_by_run ON wrkflw_messages (run, id);
CREATE UNIQUE INDEX wrkflw_messages_one_answer ON wrkflw_messages (run, path, name)
    WHERE kind = 'answer' AND refused IS NULL;

-- A run in the shape of a snapshot, for anyone with a sqlite3 shell.
CREATE VIEW wrkflw_snapshots AS
SELECT r.run_id,
       r.workflow_id,
       r.status,
       r.execution_path,
       (SELECT json_group_object(s.path, json_object(
                   'status', s.status, 'attempt', s.attempt, 'output', s.output,
                   'error', s.error, 'started_at', s.started_at, 'finished_at', s.finished_at))
          FROM (SELECT * FROM wrkflw_step_results WHERE run = r.id ORDER BY n) AS s) AS step_results,
       r.state,
       r.input,
       r.result,
       r.error,
       datetime(r.created_at / 1000000, 'unixepoch') AS created_at,
       datetime(r.updated_at / 1000000, 'unixepoch') AS updated_at
  FROM wrkflw_workflow_runs AS r;
