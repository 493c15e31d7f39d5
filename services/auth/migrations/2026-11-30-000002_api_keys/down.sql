DROP POLICY api_keys ON revocations;
DELETE FROM revocations WHERE kind = 'api_key';
ALTER TABLE revocations
    DROP CONSTRAINT revocations_kind_check,
    ADD CONSTRAINT revocations_kind_check CHECK (kind IN ('session', 'user'));
DROP TABLE api_keys;
