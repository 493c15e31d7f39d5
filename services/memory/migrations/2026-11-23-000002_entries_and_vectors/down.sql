DROP TABLE purges;
DROP TABLE embedding_jobs;
DROP TABLE vectors;
DROP TABLE spaces;
DROP TABLE entries;
DROP FUNCTION note_entry_change();
