-- Requests to make the vector index anew. Whoever keeps the index takes one up and writes down how far it is.
CREATE TABLE rebuilds (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    vectors_done   bigint NOT NULL DEFAULT 0,
    vectors_total  bigint NOT NULL DEFAULT 0,
    error          text,
    requested_at   timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz
);
-- Who asks while one is under way waits for that one.
CREATE UNIQUE INDEX rebuilds_one_open_key ON rebuilds ((true)) WHERE state IN ('waiting', 'running');
SELECT protect_table('rebuilds', 'false', 'SELECT');
