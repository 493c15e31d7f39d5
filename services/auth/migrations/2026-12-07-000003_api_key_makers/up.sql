-- Which key made a key, or replaced one by it; NULL when a person did. Who ends a key ends what came of it, too. No foreign
-- key, like `replaced_by`: the key that made it may be swept long before.
ALTER TABLE api_keys ADD COLUMN made_by uuid;
CREATE INDEX api_keys_made_by_idx ON api_keys (made_by) WHERE made_by IS NOT NULL;
