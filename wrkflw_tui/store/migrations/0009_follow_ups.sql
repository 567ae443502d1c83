-- What follows a run's end, or its question: what the settings say, and what became of it.

ALTER TABLE wrkflw_workflow_runs ADD COLUMN follows TEXT;      -- the run whose end started it
ALTER TABLE wrkflw_workflow_runs ADD COLUMN follow_depth INTEGER NOT NULL DEFAULT 0;

-- The settings file as it was last good.
CREATE TABLE wrkflw_follow_ups (
    workflow_id TEXT    NOT NULL,                -- '' for all that say nothing of their own
    event       TEXT    NOT NULL CHECK (event IN ('failure', 'success', 'question')),
    position    INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN
                ('nothing', 'notify', 'command', 'webhook', 'workflow')),
    target      TEXT    NOT NULL,                -- JSON
    PRIMARY KEY (workflow_id, event, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE wrkflw_deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT    NOT NULL UNIQUE,         -- the same for every attempt
    run         INTEGER NOT NULL REFERENCES wrkflw_workflow_runs (id) ON DELETE CASCADE,
    event       TEXT    NOT NULL CHECK (event IN ('failure', 'success', 'question')),
    kind        TEXT    NOT NULL CHECK (kind IN ('notify', 'command', 'webhook', 'workflow')),
    target      TEXT    NOT NULL,                -- JSON
    status      TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN
                ('pending', 'delivered', 'failed')),
    attempts    INTEGER NOT NULL DEFAULT 0,      -- those that have begun
    next_at     INTEGER NOT NULL,
    begun_at    INTEGER,                         -- of the attempt that is under way
    error       TEXT,                            -- why the last attempt failed
    output      TEXT,                            -- the end of what it answered or printed
    started_run TEXT,                            -- the run that a workflow's delivery started
    run_error   TEXT,                            -- the run's error: one that is recovered loses it
    asked       TEXT,                            -- JSON: the attempts (n) whose questions are meant
    happened_at INTEGER NOT NULL,                -- by the run's clock
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;
CREATE INDEX wrkflw_deliveries_by_run ON wrkflw_deliveries (run, id);
CREATE INDEX wrkflw_deliveries_pending ON wrkflw_deliveries (next_at) WHERE status = 'pending';

-- Whoever records an end, what follows it is in the same transaction. Step commits set no status.
CREATE TRIGGER wrkflw_end_is_followed AFTER UPDATE OF status ON wrkflw_workflow_runs
WHEN NEW.status IN ('success', 'failed') AND NEW.status <> OLD.status
BEGIN
    INSERT INTO wrkflw_deliveries
           (delivery_id, run, event, kind, target, next_at, run_error, happened_at, created_at)
    SELECT lower(hex(randomblob(16))), NEW.id, said.event, said.kind, said.target, now.micros,
           NEW.error, coalesce(NEW.finished_at, NEW.updated_at), now.micros
      FROM wrkflw_follow_ups AS said,
           (SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) AS micros) AS now
     WHERE said.event = CASE NEW.status WHEN 'success' THEN 'success' ELSE 'failure' END
       AND said.workflow_id = CASE WHEN EXISTS
               (SELECT 1 FROM wrkflw_follow_ups AS own
                 WHERE own.workflow_id = NEW.workflow_id AND own.event = said.event)
           THEN NEW.workflow_id ELSE '' END
       AND said.kind <> 'nothing'
     ORDER BY said.position;
END;

-- A question is told once, however often the run rests while it is open.
CREATE TRIGGER wrkflw_question_is_followed AFTER UPDATE OF status ON wrkflw_workflow_runs
WHEN NEW.status = 'suspended' AND OLD.status <> 'suspended'
 AND EXISTS (SELECT 1 FROM wrkflw_follow_ups
              WHERE workflow_id IN (NEW.workflow_id, '') AND event = 'question')
BEGIN
    INSERT INTO wrkflw_deliveries
           (delivery_id, run, event, kind, target, next_at, asked, happened_at, created_at)
    SELECT lower(hex(randomblob(16))), NEW.id, 'question', said.kind, said.target, now.micros,
           open.asked, coalesce(NEW.suspended_at, NEW.updated_at), now.micros
      FROM wrkflw_follow_ups AS said,
           (SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) AS micros) AS now,
           (SELECT json_group_array(n) AS asked FROM wrkflw_step_results AS step
             WHERE run = NEW.id AND status = 'suspended'
               AND n > coalesce((SELECT max(told.value) FROM wrkflw_deliveries AS before,
                                        json_each(before.asked) AS told
                                  WHERE before.run = NEW.id AND before.event = 'question'), 0)
               AND NOT EXISTS (SELECT 1 FROM wrkflw_step_results AS later
                                WHERE later.run = NEW.id AND later.n > step.n
                                  AND later.path = step.path)) AS open
     WHERE said.event = 'question'
       AND said.workflow_id = CASE WHEN EXISTS
               (SELECT 1 FROM wrkflw_follow_ups AS own
                 WHERE own.workflow_id = NEW.workflow_id AND own.event = 'question')
           THEN NEW.workflow_id ELSE '' END
       AND said.kind <> 'nothing'
       AND open.asked <> '[]'
     ORDER BY said.position;
END;
