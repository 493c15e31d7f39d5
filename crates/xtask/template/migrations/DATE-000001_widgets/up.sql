-- The widgets of organizations.

CREATE TABLE widgets (
    id          uuid PRIMARY KEY,
    org_id      uuid NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
-- The keyset of `list widgets`: oldest first.
CREATE INDEX widgets_org_page_idx ON widgets (org_id, created_at, id);

SELECT protect_table('widgets', 'org_id = app_org()');
