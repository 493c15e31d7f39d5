-- Who did what to which, when and from where. Rows are added and read, never changed.
CREATE TABLE audit_log (
    id            uuid NOT NULL,
    at            timestamptz NOT NULL,
    org_id        uuid,
    actor_id      uuid,
    action        text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    subject_type  text NOT NULL CHECK (length(subject_type) BETWEEN 1 AND 100),
    subject_id    text NOT NULL CHECK (length(subject_id) BETWEEN 1 AND 255),
    address       text CHECK (length(address) <= 64),
    trace_id      text CHECK (length(trace_id) = 32),
    details       jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
-- The keysets: an organization's log, a person's log.
CREATE INDEX audit_log_org_idx ON audit_log (org_id, at, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, at, id);
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;
SELECT ensure_month_partitions('audit_log', 3);

-- An organization reads its rows, a person their own that belong to no organization. Adding follows the rule of the
-- outbox: no row for another organization from within one.
SELECT protect_table('audit_log', 'org_id = app_org() OR (org_id IS NULL AND actor_id = app_user())', 'SELECT, INSERT');
DO $$
BEGIN
    EXECUTE format(
        'CREATE POLICY append ON audit_log FOR INSERT TO %I WITH CHECK (app_org() IS NULL AND app_user() IS NOT NULL OR org_id IS NULL AND app_org() IS NOT NULL)',
        service_role('app'));
    EXECUTE format('REVOKE UPDATE, DELETE ON audit_log FROM %I', service_role('system'));
END
$$;
