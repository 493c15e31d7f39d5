-- Answers to requests that carried an Idempotency-Key, stored in the transaction of the change they report.

-- `scope` is the hash of organization, person, route and key; `body_hash` tells a repetition from another request.
CREATE TABLE idempotency_keys (
    scope       bytea PRIMARY KEY CHECK (length(scope) = 32),
    org_id      uuid,
    user_id     uuid,
    route       text NOT NULL,
    body_hash   bytea NOT NULL CHECK (length(body_hash) = 32),
    status      smallint NOT NULL CHECK (status BETWEEN 200 AND 599),
    headers     json NOT NULL,
    body        bytea NOT NULL CHECK (length(body) <= 65536),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys USING brin (created_at);

-- An answer belongs to whoever asked. Nobody in particular asked for those without either: they are system work.
SELECT protect_table('idempotency_keys', 'org_id = app_org() OR user_id = app_user()', 'SELECT, INSERT, UPDATE');
