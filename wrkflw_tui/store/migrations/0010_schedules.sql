-- All terms of a schedule, those that stand in an automation file, and what a fire stands for.

CREATE TABLE wrkflw_schedules_2 (
    schedule_id          TEXT PRIMARY KEY,
    workflow_id          TEXT    NOT NULL,
    source               TEXT    NOT NULL DEFAULT 'app' CHECK (source IN ('app', 'code')),
    file                 TEXT,                   -- of one in code: where it stands
    gone                 INTEGER NOT NULL DEFAULT 0,  -- it is not in its file any more
    timing               TEXT    NOT NULL,       -- cron, 'every 15m' or 'once 2026-12-01T08:00'
    timezone             TEXT    NOT NULL,       -- 'local' or an IANA name
    zone                 TEXT    NOT NULL,       -- the IANA name that next_at was computed in
    anchor               INTEGER NOT NULL,       -- seconds: what intervals are counted from
    input                TEXT    NOT NULL,
    overlap              TEXT    NOT NULL DEFAULT 'skip' CHECK (overlap IN
                         ('skip', 'queue_one', 'queue_all', 'cancel_previous', 'allow')),
    catch_up             TEXT    NOT NULL DEFAULT 'latest' CHECK (catch_up IN ('none', 'latest', 'all')),
    late_limit           TEXT    NOT NULL DEFAULT 'auto',  -- or 'unlimited', or a length of time
    jitter               INTEGER NOT NULL DEFAULT 0,       -- seconds
    pause_after_failures INTEGER NOT NULL DEFAULT 0,
    expect_within        INTEGER,                -- seconds
    max_runs             INTEGER,
    start_at             TEXT,                   -- ISO; without an offset in the zone
    end_at               TEXT,
    exclude              TEXT    NOT NULL DEFAULT '[]',    -- JSON: dates
    note                 TEXT    NOT NULL DEFAULT '',      -- what it is for
    remark               TEXT    NOT NULL DEFAULT '',      -- a person's, or why it was paused
    paused               INTEGER NOT NULL DEFAULT 0,
    paused_until         INTEGER,                -- seconds: it does not fire before
    runs_started         INTEGER NOT NULL DEFAULT 0,
    failures             INTEGER NOT NULL DEFAULT 0,       -- failed runs in a row
    next_at              INTEGER,                -- seconds; NULL when it never fires again
    fire_at              INTEGER,                -- next_at with the jitter of that instant
    computed_at          INTEGER NOT NULL DEFAULT 0,       -- what the clock showed then
    created_at           INTEGER NOT NULL,
    revision             INTEGER NOT NULL
) STRICT;
INSERT INTO wrkflw_schedules_2 (schedule_id, workflow_id, timing, timezone, zone, anchor, input,
       overlap, catch_up, note, paused, next_at, fire_at, created_at, revision)
SELECT schedule_id, workflow_id, cron, timezone, zone, created_at / 1000000, input,
       overlap, catch_up, note, paused, next_at, next_at, created_at, revision
  FROM wrkflw_schedules;
DROP TABLE wrkflw_schedules;
ALTER TABLE wrkflw_schedules_2 RENAME TO wrkflw_schedules;

CREATE INDEX wrkflw_schedules_due ON wrkflw_schedules (fire_at) WHERE paused = 0 AND gone = 0;
CREATE INDEX wrkflw_schedules_computed ON wrkflw_schedules (computed_at)
    WHERE paused = 0 AND gone = 0;
CREATE INDEX wrkflw_schedules_in_code ON wrkflw_schedules (file) WHERE source = 'code';

CREATE TABLE wrkflw_schedule_fires_2 (
    schedule_id TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,                -- seconds, before jitter; of a stretch the first
    hand        INTEGER NOT NULL DEFAULT 0,      -- 1: triggered by hand, beside the schedule
    outcome     TEXT    NOT NULL CHECK (outcome IN ('started', 'waiting', 'skipped')),
    reason      TEXT    NOT NULL DEFAULT '',
    count       INTEGER NOT NULL DEFAULT 1,      -- instants that this row stands for
    last_at     INTEGER NOT NULL,                -- the last of them
    origin      TEXT    NOT NULL DEFAULT 'schedule' CHECK (origin IN ('schedule', 'backfill', 'hand')),
    run_id      TEXT,
    open        INTEGER NOT NULL DEFAULT 0,      -- 1: its run has not been seen to end
    nominal     TEXT,                            -- the minute on the wall that comes only once
    zone        TEXT,                            -- where that wall is
    at          INTEGER NOT NULL,
    PRIMARY KEY (schedule_id, due_at, hand)
) STRICT, WITHOUT ROWID;
INSERT INTO wrkflw_schedule_fires_2 (schedule_id, due_at, outcome, reason, count, last_at, run_id,
       open, at)
SELECT schedule_id, due_at, outcome, reason, count,
       -- The instant that a stretch was left out for comes next.
       CASE count WHEN 1 THEN due_at ELSE coalesce((SELECT min(due_at) - 1
            FROM wrkflw_schedule_fires AS following WHERE following.schedule_id = fire.schedule_id
            AND following.due_at > fire.due_at), due_at) END,
       run_id,
       EXISTS (SELECT 1 FROM wrkflw_workflow_runs AS run WHERE run.run_id = fire.run_id
               AND status IN ('queued', 'running', 'sleeping', 'suspended')), at
  FROM wrkflw_schedule_fires AS fire;
DROP TABLE wrkflw_schedule_fires;
ALTER TABLE wrkflw_schedule_fires_2 RENAME TO wrkflw_schedule_fires;

CREATE INDEX wrkflw_fires_stretches ON wrkflw_schedule_fires (schedule_id, due_at)
    WHERE last_at > due_at;
CREATE INDEX wrkflw_fires_open ON wrkflw_schedule_fires (schedule_id, run_id) WHERE open = 1;
CREATE INDEX wrkflw_fires_waiting ON wrkflw_schedule_fires (schedule_id, due_at)
    WHERE outcome = 'waiting';

-- Whether a run of a schedule still goes is asked at each fire, however many it has had.
CREATE INDEX wrkflw_runs_active_by_schedule ON wrkflw_workflow_runs (schedule_id)
    WHERE schedule_id IS NOT NULL AND status IN ('queued', 'running', 'sleeping', 'suspended');

-- Which edition of each zone's data the pointers were computed with.
CREATE TABLE wrkflw_schedule_zones (
    zone TEXT PRIMARY KEY,
    data TEXT NOT NULL
) STRICT;

-- What was catalogued before says nothing of schedules: each file is looked at once more.
UPDATE wrkflw_automation_files SET mtime_ns = 0;
