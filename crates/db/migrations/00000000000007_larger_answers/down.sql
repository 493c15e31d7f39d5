DELETE FROM idempotency_keys WHERE length(body) > 65536;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_body_check;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_body_check CHECK (length(body) <= 65536);
