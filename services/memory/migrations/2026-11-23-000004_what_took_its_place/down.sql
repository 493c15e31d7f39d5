DROP INDEX sessions_forks_idx;
DROP INDEX memory_history_superseded_idx;
ALTER TABLE memory_history DROP COLUMN superseded_by;
