-- People as their colleagues see them, the organizations they belong to, and in which role.

CREATE TABLE profiles (
    user_id       uuid PRIMARY KEY,
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    display_name  text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
    avatar_url    text CHECK (length(avatar_url) <= 2048),
    locale        text NOT NULL DEFAULT 'en' CHECK (length(locale) BETWEEN 2 AND 35),
    time_zone     text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
    preferences   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(preferences) = 'object'),
    version       bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

CREATE TABLE organizations (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    slug        text NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9])*$' AND length(slug) BETWEEN 1 AND 63),
    personal    boolean NOT NULL DEFAULT false,
    created_by  uuid NOT NULL,
    version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX organizations_slug_key ON organizations (slug);
-- One personal organization a person; also what makes the welcome idempotent.
CREATE UNIQUE INDEX organizations_personal_key ON organizations (created_by) WHERE personal;

CREATE TABLE memberships (
    id          uuid PRIMARY KEY,
    org_id      uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id     uuid NOT NULL,
    role        text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX memberships_org_user_key ON memberships (org_id, user_id);
CREATE INDEX memberships_user_org_idx ON memberships (user_id, org_id);
-- The keyset of `list members`: oldest first.
CREATE INDEX memberships_org_page_idx ON memberships (org_id, created_at, id);

-- A person reads their own memberships in every organization; everything else stays inside the organization in scope.
SELECT protect_table('memberships', 'org_id = app_org()');
CREATE POLICY own_memberships ON memberships FOR SELECT USING (user_id = app_user());

SELECT protect_table('organizations', 'id = app_org()');
CREATE POLICY own_organizations ON organizations FOR SELECT
    USING (EXISTS (SELECT 1 FROM memberships m WHERE m.org_id = organizations.id AND m.user_id = app_user()));

-- A profile belongs to its person; colleagues of the organization in scope may read it.
SELECT protect_table('profiles', 'user_id = app_user()');
CREATE POLICY colleagues ON profiles FOR SELECT
    USING (EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = profiles.user_id AND m.org_id = app_org()));
