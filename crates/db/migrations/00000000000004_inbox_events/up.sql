-- Events whose effects are committed. Holds ids only, nothing of a tenant.
CREATE TABLE inbox_events (
    event_id     uuid NOT NULL,
    consumer     text NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, consumer)
);
-- For the sweep alone; rows arrive in order of time, which is all that a BRIN needs.
CREATE INDEX inbox_events_received_idx ON inbox_events USING brin (received_at);

SELECT protect_table('inbox_events', 'true', 'INSERT');
