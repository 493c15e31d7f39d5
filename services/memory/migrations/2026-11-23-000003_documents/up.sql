-- Documents: what was uploaded, and the chunks that were last made of it. `subject` as in the other tables; that of a
-- collection never changes, and its documents have the same.

CREATE TABLE collections (
    id           uuid PRIMARY KEY,
    org_id       uuid NOT NULL,
    subject      text CHECK (length(subject) BETWEEN 1 AND 128),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description  text CHECK (length(description) BETWEEN 1 AND 2000),
    metadata     jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    created_by   uuid NOT NULL,
    version      bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX collections_page_idx ON collections (org_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX collections_name_key ON collections (org_id, coalesce(subject, ''), name);

SELECT protect_table('collections', 'org_id = app_org()');

CREATE TABLE documents (
    id             uuid PRIMARY KEY,
    org_id         uuid NOT NULL,
    collection_id  uuid NOT NULL REFERENCES collections ON DELETE CASCADE,
    subject        text,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- As it was declared.
    media_type     text CHECK (length(media_type) BETWEEN 1 AND 255),
    -- As it is read.
    format         text NOT NULL CHECK (format IN ('text', 'markdown', 'html', 'pdf', 'docx', 'csv', 'json')),
    bytes          bigint NOT NULL CHECK (bytes > 0),
    sha256         bytea NOT NULL CHECK (length(sha256) = 32),
    status         text NOT NULL CHECK (status IN ('pending', 'indexing', 'indexed', 'failed')),
    error          text CHECK ((error IS NULL) = (status <> 'failed')),
    title          text CHECK (length(title) BETWEEN 1 AND 200),
    chunk_count    integer NOT NULL DEFAULT 0 CHECK (chunk_count >= 0),
    tags           text[] NOT NULL,
    metadata       jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    -- How often it was to be indexed. What was read for an earlier revision is not stored any more.
    revision       integer NOT NULL DEFAULT 1 CHECK (revision > 0),
    -- How often this revision was begun.
    attempts       integer NOT NULL DEFAULT 0,
    -- While it waits: when it may be begun. While it is indexed: when whoever does so has to be taken for dead.
    not_before     timestamptz NOT NULL DEFAULT now(),
    created_by     uuid NOT NULL,
    version        bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE INDEX documents_page_idx ON documents (org_id, created_at DESC, id DESC);
-- The same bytes are one document, unless they are read as something else.
CREATE UNIQUE INDEX documents_same_key ON documents (collection_id, sha256, format);
CREATE INDEX documents_due_idx ON documents (not_before) WHERE status IN ('pending', 'indexing');

SELECT protect_table('documents', 'org_id = app_org()');

-- What was uploaded, as it is: documents are indexed anew from here.
CREATE TABLE document_contents (
    document_id  uuid PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    org_id       uuid NOT NULL,
    content      bytea NOT NULL
);

SELECT protect_table('document_contents', 'org_id = app_org()', 'SELECT, INSERT, DELETE');

-- Each has a row in `entries` under its id.
CREATE TABLE chunks (
    id            uuid PRIMARY KEY,
    org_id        uuid NOT NULL,
    document_id   uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    position      bigint NOT NULL CHECK (position >= 0),
    heading_path  text[] NOT NULL,
    text          text NOT NULL,
    UNIQUE (document_id, position)
);

SELECT protect_table('chunks', 'org_id = app_org()', 'SELECT, INSERT, DELETE');
