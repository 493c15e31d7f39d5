-- Conversations, their turns, and what is remembered. In all tables `subject` says whose a row is: the id of a member, or a
-- name that an application gives its users; NULL is shared by the organization.

CREATE TABLE sessions (
    id               uuid PRIMARY KEY,
    org_id           uuid NOT NULL,
    subject          text CHECK (length(subject) BETWEEN 1 AND 128),
    agent            text CHECK (length(agent) BETWEEN 1 AND 128),
    project_id       uuid,
    -- What a client calls it, such as a header of a chat.
    external_id      text CHECK (length(external_id) BETWEEN 1 AND 255),
    title            text CHECK (length(title) BETWEEN 1 AND 200),
    metadata         jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    summary          text,
    -- The first position that the summary does not cover.
    summarized_to    bigint NOT NULL DEFAULT 0,
    forked_from      uuid,
    -- The first position that is the fork's own; those before are read from where it came from.
    forked_at        bigint CHECK ((forked_at IS NULL) = (forked_from IS NULL)),
    -- Where the next turn goes; writing it is what makes turns of a session wait for each other.
    next_position    bigint NOT NULL CHECK (next_position >= 0),
    -- Who spoke last and what they asked, which the next turn may answer.
    last_speaker     text,
    last_asked       text,
    last_message_at  timestamptz,
    created_by       uuid NOT NULL,
    version          bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
-- The keyset of `list sessions`: newest first.
CREATE INDEX sessions_page_idx ON sessions (org_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX sessions_external_key ON sessions (org_id, coalesce(subject, ''), external_id)
    WHERE external_id IS NOT NULL;

SELECT protect_table('sessions', 'org_id = app_org()');

CREATE TABLE messages (
    id             uuid NOT NULL,
    stored_at      timestamptz NOT NULL,
    org_id         uuid NOT NULL,
    session_id     uuid NOT NULL,
    position       bigint NOT NULL,
    role           text NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
    author         text,
    content        text NOT NULL,
    tool_calls     jsonb,
    tool_call_id   text,
    parent_id      uuid,
    completion_id  uuid,
    tokens         integer NOT NULL CHECK (tokens >= 0),
    metadata       jsonb NOT NULL,
    occurred_at    timestamptz NOT NULL,
    PRIMARY KEY (stored_at, id)
) PARTITION BY RANGE (stored_at);
CREATE INDEX messages_session_idx ON messages (session_id, position);
CREATE INDEX messages_id_idx ON messages (id);
CREATE TABLE messages_default PARTITION OF messages DEFAULT;
SELECT ensure_month_partitions('messages', 3);

-- Turns are added and forgotten, never changed.
SELECT protect_table('messages', 'org_id = app_org()', 'SELECT, INSERT, DELETE');

CREATE TABLE memories (
    id                  uuid PRIMARY KEY,
    org_id              uuid NOT NULL,
    subject             text CHECK (length(subject) BETWEEN 1 AND 128),
    agent               text CHECK (length(agent) BETWEEN 1 AND 128),
    session_id          uuid,
    project_id          uuid,
    text                text NOT NULL CHECK (length(text) BETWEEN 1 AND 8000),
    -- Of the text in its plainest form, so that the same is not remembered twice in one scope.
    text_hash           bytea NOT NULL CHECK (length(text_hash) = 32),
    source              text NOT NULL CHECK (source IN ('stated', 'extracted', 'imported')),
    source_message_ids  uuid[] NOT NULL,
    confidence          real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    valid_from          timestamptz NOT NULL,
    valid_to            timestamptz CHECK (valid_to >= valid_from),
    superseded_by       uuid,
    expires_at          timestamptz,
    pinned              boolean NOT NULL,
    tags                text[] NOT NULL,
    metadata            jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    created_by          uuid NOT NULL,
    version             bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL
);
CREATE INDEX memories_page_idx ON memories (org_id, created_at DESC, id DESC);
CREATE INDEX memories_same_idx ON memories (org_id, text_hash);
CREATE INDEX memories_sources_idx ON memories USING gin (source_message_ids);
CREATE INDEX memories_expiry_idx ON memories (expires_at) WHERE expires_at IS NOT NULL;

SELECT protect_table('memories', 'org_id = app_org()');

-- What became of each memory. Texts go when the memory is forgotten; that it was there stays.
CREATE TABLE memory_history (
    memory_id  uuid NOT NULL,
    version    bigint NOT NULL,
    org_id     uuid NOT NULL,
    change     text NOT NULL CHECK (change IN ('added', 'updated', 'superseded', 'forgotten')),
    old_text   text,
    new_text   text,
    actor_id   uuid,
    at         timestamptz NOT NULL,
    PRIMARY KEY (memory_id, version)
);
SELECT protect_table('memory_history', 'org_id = app_org()');
