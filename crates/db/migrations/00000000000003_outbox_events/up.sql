-- Events that are committed and not yet confirmed by the broker. A row that exists is to be sent.

-- `position` is the order of insertion: changes of one aggregate wait for each other, so it is the order of the
-- aggregate too. Ids cannot give that order, because the clocks of two replicas differ.
-- `occurred_at` is the event's time by the service's clock, `created_at` the row's by the database's, for its age.
-- The table is a queue: nearly empty and always changing, so it is vacuumed by number of rows and not by share.
CREATE TABLE outbox_events (
    position        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL,
    aggregate_type  text NOT NULL,
    aggregate_id    text NOT NULL,
    sequence        bigint NOT NULL CHECK (sequence >= 0),
    type            text NOT NULL,
    org_id          uuid,
    payload         json NOT NULL,
    headers         json NOT NULL,
    occurred_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 10000
);

-- A transaction of an organization cannot stamp its event with another one; a person's can, because what a person does
-- may concern any organization. The app role only adds: reading and deleting is the relay's.
SELECT protect_table('outbox_events', 'app_org() IS NULL OR org_id IS NULL OR org_id = app_org()', 'INSERT');
