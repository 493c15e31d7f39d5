-- Who runs language models, the names under which callers know them, and the routes from one to the other.
--
-- A row without an organization belongs to the whole installation: only the system role writes it. Every organization reads
-- the models and their routes, none the providers, whose addresses and keys are no business of theirs.

CREATE TABLE providers (
    id          uuid PRIMARY KEY,
    org_id      uuid,
    name        text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind        text NOT NULL CHECK (kind IN ('openai', 'anthropic', 'gemini')),
    base_url    text NOT NULL CHECK (length(base_url) BETWEEN 8 AND 2048),
    -- Sealed for `providers/<id>`.
    key_sealed  text CHECK (length(key_sealed) <= 16384),
    -- The key's last characters, when it is long enough to spare them.
    key_hint    text CHECK (length(key_hint) <= 4),
    version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK (key_sealed IS NOT NULL OR key_hint IS NULL),
    -- What a route refers to.
    UNIQUE (id, org_id)
);
CREATE UNIQUE INDEX providers_name_key ON providers (org_id, name) NULLS NOT DISTINCT;

CREATE TABLE models (
    id                 uuid PRIMARY KEY,
    org_id             uuid,
    alias              text NOT NULL CHECK (length(alias) BETWEEN 1 AND 128),
    display_name       text CHECK (length(display_name) BETWEEN 1 AND 100),
    context_window     integer NOT NULL CHECK (context_window > 0),
    max_output_tokens  integer CHECK (max_output_tokens > 0),
    capabilities       text[] NOT NULL CHECK (cardinality(capabilities) BETWEEN 1 AND 32),
    -- Whole nano-USD a token, by name as in the API.
    prices             jsonb NOT NULL CHECK (jsonb_typeof(prices) = 'object'),
    -- The day on which the prices were right.
    prices_as_of       date,
    enabled            boolean NOT NULL DEFAULT true,
    -- Who may use it; see domain/access.rs.
    access             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(access) = 'object'),
    version            bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (id, org_id)
);
CREATE UNIQUE INDEX models_alias_key ON models (org_id, alias) NULLS NOT DISTINCT;

CREATE TABLE routes (
    id              uuid PRIMARY KEY,
    org_id          uuid,
    model_id        uuid NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    -- Where it leads: a row, or a provider of the environment by its name.
    provider_id     uuid CONSTRAINT routes_provider_fkey REFERENCES providers (id) ON DELETE RESTRICT,
    built_in        text CHECK (length(built_in) BETWEEN 1 AND 63),
    upstream_model  text NOT NULL CHECK (length(upstream_model) BETWEEN 1 AND 200),
    weight          integer NOT NULL CHECK (weight BETWEEN 0 AND 1000),
    fallback        integer NOT NULL CHECK (fallback BETWEEN 0 AND 15),
    region          text CHECK (length(region) BETWEEN 1 AND 32),
    prices          jsonb CHECK (jsonb_typeof(prices) = 'object'),
    -- In the order in which they were given.
    position        integer NOT NULL CHECK (position >= 0),
    CHECK (num_nonnulls(provider_id, built_in) = 1),
    -- An organization spends on its own providers only: not on another's key, and not past the prices and limits that the
    -- installation put on its own.
    CHECK (org_id IS NULL OR built_in IS NULL),
    FOREIGN KEY (model_id, org_id) REFERENCES models (id, org_id) ON DELETE CASCADE,
    CONSTRAINT routes_own_provider_fkey FOREIGN KEY (provider_id, org_id) REFERENCES providers (id, org_id) ON DELETE RESTRICT
);
CREATE INDEX routes_model_idx ON routes (model_id, position);
CREATE INDEX routes_provider_idx ON routes (provider_id);
CREATE INDEX routes_org_idx ON routes (org_id);

-- What was deleted, so that deleting it again is no mistake.
CREATE TABLE tombstones (
    id          uuid PRIMARY KEY,
    org_id      uuid,
    deleted_at  timestamptz NOT NULL
);

SELECT protect_table('tombstones', 'org_id = app_org()', 'SELECT, INSERT');
SELECT protect_table('providers', 'org_id = app_org()');
SELECT protect_table('models', 'org_id = app_org()');
SELECT protect_table('routes', 'org_id = app_org()');

DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['models', 'routes'] LOOP
        EXECUTE format('CREATE POLICY installation ON %I FOR SELECT TO %I USING (org_id IS NULL)', target, service_role('app'));
    END LOOP;
END
$$;
