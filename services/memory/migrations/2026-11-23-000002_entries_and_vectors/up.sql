-- What can be found, and the vectors by which it is. Indexes in memory and on disk follow `entries` by `changed`.

-- One row for each turn, memory and chunk, under its id. A row that is gone stays as long as an index may not know yet.
CREATE TABLE entries (
    id             uuid PRIMARY KEY,
    org_id         uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('message', 'memory', 'chunk')),
    subject        text,
    agent          text,
    session_id     uuid,
    project_id     uuid,
    collection_id  uuid,
    document_id    uuid,
    author         text,
    position       bigint NOT NULL,
    occurred_at    timestamptz NOT NULL,
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    expires_at     timestamptz,
    pinned         boolean NOT NULL,
    labels         text[] NOT NULL,
    text           text NOT NULL,
    reply_to       text NOT NULL,
    -- Grows when the text does change: vectors of an earlier revision are of another text.
    revision       integer NOT NULL DEFAULT 1,
    gone_at        timestamptz,
    -- The transaction that wrote the row last. Everything below the oldest running transaction is settled, which no clock
    -- and no sequence can say.
    changed        xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX entries_changed_idx ON entries (changed, id);
CREATE INDEX entries_org_changed_idx ON entries (org_id, changed, id);
CREATE INDEX entries_session_idx ON entries (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX entries_gone_idx ON entries (gone_at) WHERE gone_at IS NOT NULL;

CREATE FUNCTION note_entry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER entries_changed BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION note_entry_change();

SELECT protect_table('entries', 'org_id = app_org()');

-- Embedding models. Searches use the active one; another is filled beside it and takes over when nothing is missing.
CREATE TABLE spaces (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model         text NOT NULL,
    dimension     integer NOT NULL CHECK (dimension BETWEEN 1 AND 8192),
    state         text NOT NULL CHECK (state IN ('building', 'active', 'retired')),
    created_at    timestamptz NOT NULL,
    activated_at  timestamptz,
    UNIQUE (model, dimension)
);
CREATE UNIQUE INDEX spaces_one_active_key ON spaces ((true)) WHERE state = 'active';
CREATE UNIQUE INDEX spaces_one_building_key ON spaces ((true)) WHERE state = 'building';
SELECT protect_table('spaces', 'true', 'SELECT');

-- `vector` holds 32-bit floats, little-endian, of length 1.
CREATE TABLE vectors (
    space_id  integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    entry_id  uuid NOT NULL,
    org_id    uuid NOT NULL,
    revision  integer NOT NULL,
    vector    bytea NOT NULL,
    PRIMARY KEY (space_id, entry_id)
);
CREATE INDEX vectors_entry_idx ON vectors (entry_id);
SELECT protect_table('vectors', 'org_id = app_org()', 'SELECT, DELETE');

-- Texts that wait for their vector.
CREATE TABLE embedding_jobs (
    space_id    integer NOT NULL REFERENCES spaces ON DELETE CASCADE,
    entry_id    uuid NOT NULL,
    org_id      uuid NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, entry_id)
);
CREATE INDEX embedding_jobs_due_idx ON embedding_jobs (not_before);
SELECT protect_table('embedding_jobs', 'org_id = app_org()', 'SELECT, INSERT, DELETE');

-- Up to which transaction entries that were gone have been deleted for good: an index that is older is made anew.
CREATE TABLE purges (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    up_to  bigint NOT NULL
);
SELECT protect_table('purges', 'true', 'SELECT');
