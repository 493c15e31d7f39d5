-- Facts that a language model takes from turns, after they are stored.

-- Sessions with turns that facts are still to be taken from: those from `from_position` on. Whoever adds or removes turns
-- holds the session's row, and so does whoever moves this on.
CREATE TABLE extraction_jobs (
    session_id     uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    org_id         uuid NOT NULL,
    from_position  bigint NOT NULL CHECK (from_position >= 0),
    -- How often these turns were begun with.
    attempts       integer NOT NULL DEFAULT 0,
    -- While it waits: when it may be begun. While it is done: when whoever does it has to be taken for dead.
    not_before     timestamptz NOT NULL DEFAULT now(),
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX extraction_jobs_due_idx ON extraction_jobs (not_before);

SELECT protect_table('extraction_jobs', 'org_id = app_org()');

-- What somebody gave to take facts from, beside all sessions, and what came of it.
CREATE TABLE extractions (
    id          uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
    subject     text CHECK (length(subject) BETWEEN 1 AND 128),
    status      text NOT NULL CHECK (status IN ('waiting', 'done', 'failed')),
    -- The turns and where their facts belong; gone as soon as nothing waits any more.
    given       jsonb CHECK ((given IS NULL) = (status <> 'waiting')),
    -- The first of the turns that facts are still to be taken from.
    next_turn   bigint NOT NULL DEFAULT 0 CHECK (next_turn >= 0),
    memory_ids  uuid[] NOT NULL DEFAULT '{}',
    attempts    integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT now(),
    created_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX extractions_due_idx ON extractions (not_before) WHERE status = 'waiting';
CREATE INDEX extractions_over_idx ON extractions (updated_at) WHERE status <> 'waiting';

SELECT protect_table('extractions', 'org_id = app_org()');

-- Tokens of language models that an organization used on a day of UTC, those that are reserved included.
CREATE TABLE extraction_usage (
    org_id     uuid NOT NULL,
    day        date NOT NULL,
    tokens     bigint NOT NULL CHECK (tokens >= 0),
    -- What waits, waits for the next day.
    exhausted  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (org_id, day)
);

SELECT protect_table('extraction_usage', 'org_id = app_org()', 'SELECT, INSERT, UPDATE');
