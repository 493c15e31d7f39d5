-- For platform teams that make schemas and roles themselves. Once per service, in the database of the system:
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v schema=auth -v owner_password=… -v app_password=… -f roles.sql
--
-- Afterwards the service migrates as brainops_<schema>_owner (BRAINOPS_MIGRATE_DATABASE_URL) and serves as
-- brainops_<schema>_app (BRAINOPS_DATABASE_URL). Running it again changes nothing but the passwords.
\set ON_ERROR_STOP 1
\o /dev/null
BEGIN;
SELECT set_config('brainops.schema', :'schema', true),
       set_config('brainops.owner_password', :'owner_password', true),
       set_config('brainops.app_password', :'app_password', true);
\ir provision.sql
COMMIT;
\o
