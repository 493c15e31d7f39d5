-- What a transaction is scoped to, and how a table is put behind it. See docs/adr/0003.

-- The organization that the transaction works for; NULL outside of one. A setting that was once set locally reads as ''
-- in later transactions of the same connection, hence the nullif.
CREATE FUNCTION app_org() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.org', true), '')::uuid;

-- The person that the transaction works for; NULL outside of one.
CREATE FUNCTION app_user() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user', true), '')::uuid;

-- The service's role of a kind: 'owner', 'app' or 'system'.
CREATE FUNCTION service_role(kind text) RETURNS name
    LANGUAGE sql STABLE
    SET search_path FROM CURRENT
    RETURN ('brainops_' || current_schema() || '_' || kind)::name;

-- Puts a table behind row level security, which binds its owner as well:
--   * the app role reaches the rows for which `tenant_expression` holds, for reading and for writing;
--   * the system role reaches all rows;
--   * nobody else reaches any.
-- `privileges` is what the app role may do at all. Further policies can be added with CREATE POLICY; they widen.
CREATE FUNCTION protect_table(
    target regclass,
    tenant_expression text,
    privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'
) RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO %I USING (%s) WITH CHECK (%s)',
        target, service_role('app'), tenant_expression, tenant_expression);
    EXECUTE format('CREATE POLICY system ON %s TO %I USING (true) WITH CHECK (true)', target, service_role('system'));
    EXECUTE format('GRANT %s ON %s TO %I', privileges, target, service_role('app'));
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', target, service_role('system'));
END
$$;

-- Functions are open to everyone unless said otherwise.
REVOKE ALL ON FUNCTION app_org(), app_user(), service_role(text), protect_table(regclass, text, text) FROM PUBLIC;

DO $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION app_org(), app_user() TO %I, %I', service_role('app'), service_role('system'));
END
$$;
