-- An answer repeats what was asked to be stored, so it may be as large as a request and what stands beside it.
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_body_check;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_body_check CHECK (length(body) <= 2097152);
