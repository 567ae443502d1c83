-- A workflow's graph is kept once, not with every run: it is the longest thing on a run's row, which
-- each commit writes anew.

CREATE TABLE wrkflw_graphs (
    id    INTEGER PRIMARY KEY,
    graph TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO wrkflw_graphs (graph)
SELECT DISTINCT graph FROM wrkflw_workflow_runs WHERE graph IS NOT NULL;

ALTER TABLE wrkflw_workflow_runs ADD COLUMN graph_id INTEGER;
UPDATE wrkflw_workflow_runs
   SET graph_id = (SELECT id FROM wrkflw_graphs AS kept WHERE kept.graph = wrkflw_workflow_runs.graph)
 WHERE graph IS NOT NULL;
ALTER TABLE wrkflw_workflow_runs DROP COLUMN graph;
