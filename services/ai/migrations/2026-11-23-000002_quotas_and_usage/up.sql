-- Limits of usage, what is used of them, and a record of every call.

-- `org_id` NULL: set by the operator, for one organization (`subject_id`) or for every one, each by itself. `subject_id` NULL:
-- for each team, user or key by itself.
CREATE TABLE quotas (
    id            uuid PRIMARY KEY,
    org_id        uuid,
    name          text CHECK (length(name) BETWEEN 1 AND 100),
    subject       text NOT NULL CHECK (subject IN ('organization', 'team', 'user', 'api_key')),
    subject_id    uuid CHECK (subject_id IS NULL OR (subject = 'organization') = (org_id IS NULL)),
    model         text CHECK (length(model) BETWEEN 1 AND 200),
    period        text NOT NULL CHECK (period IN ('minute', 'day', 'month')),
    metric        text NOT NULL CHECK (metric IN ('requests', 'tokens', 'cost_nano_usd')),
    limit_amount  bigint NOT NULL CHECK (limit_amount >= 0),
    thresholds    smallint[] NOT NULL CHECK (cardinality(thresholds) <= 10 AND 1 <= ALL (thresholds) AND 100 >= ALL (thresholds)),
    enabled       boolean NOT NULL DEFAULT true,
    version       bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
-- Two limits of the same thing would leave the looser one without effect.
CREATE UNIQUE INDEX quotas_key ON quotas (org_id, subject, subject_id, model, period, metric) NULLS NOT DISTINCT;
CREATE INDEX quotas_page_idx ON quotas (org_id, created_at, id);

SELECT protect_table('quotas', 'org_id = app_org()');
DO $$
BEGIN
    EXECUTE format(
        'CREATE POLICY installation ON quotas FOR SELECT TO %I USING (org_id IS NULL AND (subject_id IS NULL OR subject_id = app_org()))',
        service_role('app'));
END
$$;

-- One window of one quota for one subject (the organization, team, user or key that it counts). `used` is settled, `leased`
-- is the sum of the leases: what replicas hold to admit calls from. used + leased <= limit whenever a lease is taken.
-- There is no reference to `quotas`: a call may settle after its quota is gone.
CREATE TABLE quota_windows (
    quota_id          uuid NOT NULL,
    subject_id        uuid NOT NULL,
    started_at        timestamptz NOT NULL,
    org_id            uuid NOT NULL,
    used              bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    leased            bigint NOT NULL DEFAULT 0 CHECK (leased >= 0),
    -- The highest soft threshold that was told of, in percent.
    notified_percent  smallint NOT NULL DEFAULT 0,
    -- When the first call was refused.
    exceeded_at       timestamptz,
    PRIMARY KEY (quota_id, subject_id, started_at)
) WITH (fillfactor = 70);
CREATE INDEX quota_windows_started_idx ON quota_windows USING brin (started_at);

SELECT protect_table('quota_windows', 'org_id = app_org()');

-- A replica's slice of a window. One that is not renewed in time (its replica died) goes back.
CREATE TABLE quota_leases (
    id          uuid PRIMARY KEY,
    quota_id    uuid NOT NULL,
    subject_id  uuid NOT NULL,
    started_at  timestamptz NOT NULL,
    org_id      uuid NOT NULL,
    amount      bigint NOT NULL CHECK (amount >= 0),
    expires_at  timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX quota_leases_expiry_idx ON quota_leases (expires_at);

SELECT protect_table('quota_leases', 'org_id = app_org()');

-- What each call used and cost. Written by the ledger in batches, never changed.
CREATE TABLE usage_records (
    id                       uuid NOT NULL,
    recorded_at              timestamptz NOT NULL,
    org_id                   uuid NOT NULL,
    user_id                  uuid NOT NULL,
    api_key_id               uuid,
    model                    text NOT NULL,
    model_id                 uuid NOT NULL,
    provider                 text,
    upstream_model           text,
    operation                text NOT NULL,
    dialect                  text,
    input_tokens             bigint NOT NULL,
    cached_input_tokens      bigint NOT NULL,
    cache_write_tokens       bigint NOT NULL,
    output_tokens            bigint NOT NULL,
    reasoning_tokens         bigint NOT NULL,
    cost_nano_usd            bigint NOT NULL,
    estimated                boolean NOT NULL,
    cached                   boolean NOT NULL,
    streamed                 boolean NOT NULL,
    outcome                  text NOT NULL,
    stop_reason              text,
    time_to_first_token_ms   integer,
    duration_ms              integer NOT NULL,
    attempts                 integer NOT NULL,
    session_id               text,
    PRIMARY KEY (recorded_at, id)
) PARTITION BY RANGE (recorded_at);
-- The keysets: an organization's calls, a person's calls.
CREATE INDEX usage_records_org_idx ON usage_records (org_id, recorded_at, id);
CREATE INDEX usage_records_user_idx ON usage_records (org_id, user_id, recorded_at, id);
CREATE TABLE usage_records_default PARTITION OF usage_records DEFAULT;
SELECT ensure_month_partitions('usage_records', 3);

SELECT protect_table('usage_records', 'org_id = app_org()', 'SELECT');
-- Not even the service's own work changes what was recorded; old months go as whole partitions.
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON usage_records FROM %I', service_role('system'));
END
$$;

-- Who belongs to which team: a projection of what the users service tells. `sequence` is the team's version; a row of
-- somebody who left stays, so that late news of an earlier state changes nothing.
CREATE TABLE team_members (
    team_id     uuid NOT NULL,
    user_id     uuid NOT NULL,
    org_id      uuid NOT NULL,
    sequence    bigint NOT NULL,
    belongs     boolean NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_members_user_idx ON team_members (org_id, user_id) WHERE belongs;
CREATE TABLE deleted_teams (
    team_id     uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
    deleted_at  timestamptz NOT NULL
);

SELECT protect_table('team_members', 'org_id = app_org()');
SELECT protect_table('deleted_teams', 'org_id = app_org()', 'SELECT, INSERT');
