-- Keys for programs: what they may do, until when and from where.

-- `secret_hash` is a keyed hash of the whole key. A key that was replaced by its successor works until `expires_at`, which
-- the replacement has set; the sweep revokes it then.
CREATE TABLE api_keys (
    id                uuid PRIMARY KEY,
    org_id            uuid NOT NULL,
    user_id           uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    environment       text NOT NULL CHECK (environment IN ('live', 'test')),
    name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    secret_hash       bytea NOT NULL CHECK (length(secret_hash) = 32),
    scopes            text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    allowed_networks  text[] NOT NULL CHECK (cardinality(allowed_networks) <= 50),
    version           bigint NOT NULL CHECK (version > 0),
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    expires_at        timestamptz,
    last_used_at      timestamptz,
    replaced_by       uuid,
    revoked_at        timestamptz,
    revoke_reason     text,
    CHECK (replaced_by IS NULL OR expires_at IS NOT NULL OR revoked_at IS NOT NULL),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
-- The keysets of the lists, newest first: an organization's keys, and a person's.
CREATE INDEX api_keys_org_idx ON api_keys (org_id, created_at DESC, id DESC);
CREATE INDEX api_keys_user_idx ON api_keys (user_id, org_id, created_at DESC, id DESC);
-- What the sweep looks for: replaced keys that have not been revoked, and keys that ended long ago.
CREATE INDEX api_keys_replaced_idx ON api_keys (expires_at) WHERE replaced_by IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX api_keys_ended_idx ON api_keys (least(revoked_at, expires_at));

SELECT protect_table('api_keys', 'org_id = app_org()', 'SELECT, INSERT, UPDATE');

-- A revoked key voids the tokens that were exchanged for it. An admin may revoke the key of somebody else, so here the
-- organization decides, not the person: the subquery sees the keys of the transaction's organization only.
ALTER TABLE revocations
    DROP CONSTRAINT revocations_kind_check,
    ADD CONSTRAINT revocations_kind_check CHECK (kind IN ('session', 'user', 'api_key'));
DO $$
BEGIN
    EXECUTE format(
        'CREATE POLICY api_keys ON revocations FOR INSERT TO %I WITH CHECK (kind = ''api_key'' AND EXISTS (SELECT FROM api_keys k WHERE k.id = subject_id AND k.user_id = revocations.user_id))',
        service_role('app'));
END
$$;
