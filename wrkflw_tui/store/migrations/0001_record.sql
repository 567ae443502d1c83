-- Instants are microseconds since the epoch, UTC. A revision grows with every transaction: whoever has
-- seen revision N of the runs has missed exactly the runs and steps with a greater one.

-- For what is on record beside the runs, which count their revisions themselves.
CREATE TABLE wrkflw_revision (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO wrkflw_revision (id, revision) VALUES (1, 0);

CREATE TABLE wrkflw_workflow_runs (
    id               INTEGER PRIMARY KEY,
    run_id           TEXT    NOT NULL UNIQUE,
    workflow_id      TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN
                     ('queued', 'running', 'sleeping', 'suspended', 'success', 'failed', 'cancelled')),
    trigger          TEXT    NOT NULL,           -- library, app, cli, schedule
    priority         INTEGER NOT NULL DEFAULT 0,
    execution_path   TEXT    NOT NULL DEFAULT '[]',  -- JSON: the paths at work now
    steps_done       INTEGER NOT NULL DEFAULT 0,
    steps_total      INTEGER NOT NULL DEFAULT 0,
    state            TEXT,
    input            TEXT,
    result           TEXT,
    error            TEXT,
    definition_hash  TEXT,
    graph            TEXT,
    epoch            INTEGER NOT NULL DEFAULT 0, -- raised by every claim: fences off older ones
    owner            TEXT,                       -- holder in wrkflw_leases
    budget_from      INTEGER NOT NULL DEFAULT 0, -- attempts up to this one no longer count
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    wake_at          INTEGER,
    schedule_id      TEXT,
    due_at           INTEGER,                    -- the instant a schedule meant, in seconds
    forked_from_run  TEXT,
    forked_from_path TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    revision         INTEGER NOT NULL
) STRICT;

CREATE INDEX wrkflw_runs_by_revision ON wrkflw_workflow_runs (revision);
CREATE INDEX wrkflw_runs_by_workflow ON wrkflw_workflow_runs (workflow_id, id);
CREATE INDEX wrkflw_runs_queued ON wrkflw_workflow_runs (priority DESC, id) WHERE status = 'queued';
CREATE INDEX wrkflw_runs_running ON wrkflw_workflow_runs (id) WHERE status = 'running';
CREATE INDEX wrkflw_runs_by_schedule ON wrkflw_workflow_runs (schedule_id, id)
    WHERE schedule_id IS NOT NULL;

CREATE TABLE wrkflw_step_results (
    run         INTEGER NOT NULL REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    n           INTEGER NOT NULL,                -- the order of starts within the run
    path        TEXT    NOT NULL,
    step_id     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    status      TEXT    NOT NULL CHECK (status IN
                ('running', 'success', 'failed', 'crashed', 'interrupted')),
    input       TEXT,
    output      TEXT,
    error       TEXT,
    progress    TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    revision    INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE wrkflw_run_logs (
    run      INTEGER NOT NULL REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    n        INTEGER NOT NULL,                   -- the order within the run
    stream   TEXT    NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    path     TEXT    NOT NULL DEFAULT '',        -- the step, where known
    at       INTEGER NOT NULL,
    lines    INTEGER NOT NULL,
    text     TEXT    NOT NULL,                   -- a stretch of lines, joined by newlines
    revision INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE wrkflw_automation_files (
    file       TEXT PRIMARY KEY,                 -- the name within the folder
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('loading', 'ok', 'broken')),
    error      TEXT,
    line       INTEGER,                          -- where the error lies in the file, if known
    traceback  TEXT,
    checked_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL
) STRICT;

CREATE TABLE wrkflw_workflows (
    workflow_id     TEXT PRIMARY KEY,
    file            TEXT    NOT NULL REFERENCES wrkflw_automation_files (file) ON DELETE CASCADE,
    description     TEXT    NOT NULL,
    tags            TEXT    NOT NULL,            -- JSON list
    input_schema    TEXT    NOT NULL,            -- JSON Schema
    output_schema   TEXT    NOT NULL,
    graph           TEXT    NOT NULL,
    steps_total     INTEGER NOT NULL,
    definition_hash TEXT    NOT NULL,
    last_input      TEXT,
    revision        INTEGER NOT NULL
) STRICT;

CREATE TABLE wrkflw_schedules (
    schedule_id TEXT PRIMARY KEY,
    workflow_id TEXT    NOT NULL,
    cron        TEXT    NOT NULL,
    timezone    TEXT    NOT NULL,                -- 'local' or an IANA name
    zone        TEXT    NOT NULL,                -- the IANA name that next_at was computed in
    input       TEXT    NOT NULL,
    overlap     TEXT    NOT NULL DEFAULT 'skip'   CHECK (overlap IN ('skip', 'allow')),
    catch_up    TEXT    NOT NULL DEFAULT 'latest' CHECK (catch_up IN ('none', 'latest')),
    paused      INTEGER NOT NULL DEFAULT 0,
    note        TEXT    NOT NULL DEFAULT '',
    next_at     INTEGER,                         -- seconds; NULL when it never fires again
    created_at  INTEGER NOT NULL,
    revision    INTEGER NOT NULL
) STRICT;

CREATE INDEX wrkflw_schedules_due ON wrkflw_schedules (next_at) WHERE paused = 0;

CREATE TABLE wrkflw_schedule_fires (
    schedule_id TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,                -- seconds, UTC
    outcome     TEXT    NOT NULL CHECK (outcome IN ('started', 'skipped')),
    reason      TEXT    NOT NULL DEFAULT '',
    count       INTEGER NOT NULL DEFAULT 1,      -- instants that this row stands for
    run_id      TEXT,
    at          INTEGER NOT NULL,
    PRIMARY KEY (schedule_id, due_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE wrkflw_messages (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('cancel', 'reload')),
    run_id     TEXT,
    payload    TEXT,
    created_at INTEGER NOT NULL,
    handled_at INTEGER
) STRICT;

CREATE INDEX wrkflw_messages_open ON wrkflw_messages (id) WHERE handled_at IS NULL;

CREATE TABLE wrkflw_leases (
    name            TEXT PRIMARY KEY,            -- 'worker', or 'process:…' for library use
    holder          TEXT    NOT NULL UNIQUE,
    host            TEXT    NOT NULL,
    pid             INTEGER NOT NULL,
    process_started REAL    NOT NULL,
    acquired_at     INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;

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
