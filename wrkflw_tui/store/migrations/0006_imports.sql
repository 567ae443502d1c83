-- What each automation file imports of the folder, and how that was: a change of it is one of the file.

ALTER TABLE wrkflw_automation_files ADD COLUMN imports TEXT NOT NULL DEFAULT '{}';

-- What was catalogued before says nothing of it: each file is looked at once more.
UPDATE wrkflw_automation_files SET mtime_ns = 0;
