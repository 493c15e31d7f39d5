-- The memory whose text `new_text` is, of one that was superseded: when that is forgotten, so is its text here.
ALTER TABLE memory_history ADD COLUMN superseded_by uuid;
CREATE INDEX memory_history_superseded_idx ON memory_history (superseded_by) WHERE superseded_by IS NOT NULL;
-- Forks inherit a summary, which goes when the turns that it is about are forgotten.
CREATE INDEX sessions_forks_idx ON sessions (forked_from) WHERE forked_from IS NOT NULL;
