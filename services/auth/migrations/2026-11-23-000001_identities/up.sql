-- Who people are, how they prove it, where they are signed in, and what signs for it.

-- `email` is what the person typed, `email_key` what makes two addresses the same one.
CREATE TABLE users (
    id                 uuid PRIMARY KEY,
    email              text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_key          text NOT NULL CHECK (length(email_key) BETWEEN 3 AND 254),
    display_name       text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    personal_org_id    uuid NOT NULL,
    disabled_at        timestamptz,
    version            bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at         timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email_key_key ON users (email_key);
CREATE UNIQUE INDEX users_personal_org_key ON users (personal_org_id);
-- The keyset of the snapshot: oldest first.
CREATE INDEX users_page_idx ON users (created_at, id);

-- Apart from `users`, so that a query for a person never carries the hash along.
CREATE TABLE credentials (
    user_id        uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    password_hash  text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    changed_at     timestamptz NOT NULL
);

-- What the users service said about memberships: one row for a person in an organization, `role` NULL once they left.
-- (membership_id, sequence) is the row's age: an event that is not newer changes nothing. The row that registration
-- makes for the personal organization carries the nil id and is replaced by the first real event.
CREATE TABLE memberships (
    user_id        uuid NOT NULL,
    org_id         uuid NOT NULL,
    membership_id  uuid NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence >= 0),
    role           text CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (user_id, org_id)
);
CREATE INDEX memberships_org_idx ON memberships (org_id);

-- Tombstones, so that a membership event that arrives late does not revive a deleted organization.
CREATE TABLE deleted_organizations (
    org_id      uuid PRIMARY KEY,
    deleted_at  timestamptz NOT NULL
);

-- A session is one sign-in on one device and the family of its refresh tokens. `id` is the `sid` of its access tokens; it
-- is replaced when the person's role changes, which voids the tokens that carry the old one. `family_id` never changes.
CREATE TABLE sessions (
    family_id         uuid PRIMARY KEY,
    id                uuid NOT NULL,
    user_id           uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    org_id            uuid NOT NULL,
    started_at        timestamptz NOT NULL,
    authenticated_at  timestamptz NOT NULL,
    last_seen_at      timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    user_agent        text CHECK (length(user_agent) <= 256),
    address           text CHECK (length(address) <= 64),
    revoked_at        timestamptz,
    revoke_reason     text,
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
CREATE UNIQUE INDEX sessions_id_key ON sessions (id);
CREATE INDEX sessions_user_idx ON sessions (user_id, last_seen_at DESC) WHERE revoked_at IS NULL;
CREATE INDEX sessions_expiry_idx ON sessions (expires_at);

-- `successor` is the next token, sealed, for the seconds in which two honest requests may race for it.
CREATE TABLE refresh_tokens (
    token_hash      bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    family_id       uuid NOT NULL REFERENCES sessions (family_id) ON DELETE CASCADE,
    user_id         uuid NOT NULL,
    issued_at       timestamptz NOT NULL,
    rotated_at      timestamptz,
    successor_hash  bytea CHECK (length(successor_hash) = 32),
    successor       text,
    CHECK ((rotated_at IS NULL) = (successor_hash IS NULL))
);
CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_successor_idx ON refresh_tokens (rotated_at) WHERE successor IS NOT NULL;

-- Attempts at a password, or at registering, counted before the work is done. Buckets are keyed hashes: no address here.
CREATE TABLE attempts (
    bucket     bytea PRIMARY KEY CHECK (length(bucket) = 32),
    made       bigint NOT NULL CHECK (made >= 0),
    resets_at  timestamptz NOT NULL
);
CREATE INDEX attempts_resets_idx ON attempts (resets_at);

-- ES256 keys; the id is the `kid`. `sealed_key` is the private scalar under a master key from the environment.
-- `announced_at` is when the rotation to this key was published as an event.
CREATE TABLE signing_keys (
    id            uuid PRIMARY KEY,
    sealed_key    text NOT NULL,
    created_at    timestamptz NOT NULL,
    signs_from    timestamptz NOT NULL CHECK (signs_from >= created_at),
    announced_at  timestamptz
);

-- Whose access tokens are refused although they have not expired: those of a session, or all of a user that were issued
-- before `revoked_at`. Rows live as long as those tokens would have.
CREATE TABLE revocations (
    kind        text NOT NULL CHECK (kind IN ('session', 'user')),
    subject_id  uuid NOT NULL,
    user_id     uuid NOT NULL,
    revoked_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (kind, subject_id)
);
CREATE INDEX revocations_expiry_idx ON revocations (expires_at);

-- What belongs to a person is in reach of that person's transactions; the rest only of the service's own work.
SELECT protect_table('users', 'id = app_user()', 'SELECT, INSERT, UPDATE');
SELECT protect_table('credentials', 'user_id = app_user()', 'SELECT, INSERT, UPDATE');
SELECT protect_table('memberships', 'user_id = app_user()', 'SELECT, INSERT');
SELECT protect_table('sessions', 'user_id = app_user()', 'SELECT, INSERT, UPDATE');
SELECT protect_table('refresh_tokens', 'user_id = app_user()', 'SELECT, INSERT');
SELECT protect_table('revocations', 'user_id = app_user()', 'SELECT, INSERT');
SELECT protect_table('deleted_organizations', 'false', 'SELECT');
SELECT protect_table('attempts', 'false', 'SELECT');
SELECT protect_table('signing_keys', 'false', 'SELECT');
