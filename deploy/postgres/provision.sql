-- Makes one service's schema and its three roles in the current database, or mends what is there. Idempotent.
--
-- Run it through roles.sql (psql) or `db::provision` (Rust), which are the same but for where these settings come from:
--   brainops.schema           the service's schema, which is its name
--   brainops.owner_password   of the role that migrates
--   brainops.app_password     of the role that serves
-- It needs a superuser, or a role with CREATEROLE that owns the database. docs/adr/0003 says what each role is for.
DO $provision$
DECLARE
    schema_name constant text := current_setting('brainops.schema');
    owner_role constant text := 'brainops_' || schema_name || '_owner';
    app_role constant text := 'brainops_' || schema_name || '_app';
    system_role constant text := 'brainops_' || schema_name || '_system';
    is_superuser constant boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    role_name text;
    foreign_role text;
BEGIN
    IF schema_name !~ '^[a-z][a-z0-9_]{0,39}$' OR schema_name ~ '^pg_' OR schema_name IN ('public', 'information_schema') THEN
        RAISE EXCEPTION '% is not a name for a service''s schema', quote_literal(schema_name)
            USING ERRCODE = 'invalid_schema_name';
    END IF;

    -- The roles. NOINHERIT: being a member of the system role gives the app role nothing until it says SET ROLE.
    FOREACH role_name IN ARRAY ARRAY[owner_role, app_role, system_role] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I', role_name);
        END IF;
        -- Only a superuser may name these attributes, so they are named only when one of them must go.
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name AND (rolsuper OR rolreplication OR rolbypassrls)) THEN
            EXECUTE format('ALTER ROLE %I NOSUPERUSER NOREPLICATION NOBYPASSRLS', role_name);
        END IF;
        EXECUTE format('ALTER ROLE %I NOINHERIT NOCREATEDB NOCREATEROLE', role_name);
        EXECUTE format('ALTER ROLE %I SET search_path = %I', role_name, schema_name);
        -- No role is a member of any other, with the one exception made below.
        FOR foreign_role IN
            SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
            WHERE m.member = role_name::regrole AND NOT (role_name = app_role AND r.rolname = system_role)
        LOOP
            EXECUTE format('REVOKE %I FROM %I', foreign_role, role_name);
        END LOOP;
    END LOOP;
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', owner_role, current_setting('brainops.owner_password'));
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', app_role, current_setting('brainops.app_password'));
    EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', system_role);
    -- From version 16 on, inheritance belongs to the membership and no longer to the member.
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', system_role, app_role);
    ELSE
        EXECUTE format('GRANT %I TO %I', system_role, app_role);
    END IF;
    -- What is not a superuser must be a member to hand a schema over.
    IF NOT is_superuser THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', owner_role);
    END IF;
    -- The services tell a timeout from a deadlock by the server's words. Only a superuser may choose them; without one,
    -- set lc_messages to C or English for the server.
    IF is_superuser THEN
        EXECUTE format('ALTER ROLE %I SET lc_messages = %L', owner_role, 'C');
        EXECUTE format('ALTER ROLE %I SET lc_messages = %L', app_role, 'C');
    END IF;

    -- The database: nobody gets in by default, and nobody makes temporary tables.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I', current_database(), owner_role, app_role);
    IF to_regnamespace('public') IS NOT NULL THEN
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;

    -- The schema: the owner makes things in it, the others use what the owner grants them.
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', schema_name);
    EXECUTE format('ALTER SCHEMA %I OWNER TO %I', schema_name, owner_role);
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, %I, %I', schema_name, app_role, system_role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', schema_name, app_role, system_role);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', owner_role);
END
$provision$;
