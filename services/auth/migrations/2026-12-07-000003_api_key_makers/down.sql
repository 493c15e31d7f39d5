DROP INDEX api_keys_made_by_idx;
ALTER TABLE api_keys DROP COLUMN made_by;
