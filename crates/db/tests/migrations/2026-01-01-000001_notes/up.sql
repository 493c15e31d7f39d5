-- A small service to try things with.
CREATE TABLE notes (
    id      uuid PRIMARY KEY,
    org_id  uuid NOT NULL,
    title   text NOT NULL CHECK (length(title) <= 20),
    version bigint NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX notes_title_key ON notes (org_id, title);
CREATE TABLE remarks (
    id       uuid PRIMARY KEY,
    org_id   uuid NOT NULL,
    note_id  uuid NOT NULL CONSTRAINT remarks_note_fk REFERENCES notes (id) ON DELETE CASCADE
);
CREATE TABLE diaries (
    user_id  uuid PRIMARY KEY,
    body     text NOT NULL
);
SELECT protect_table('notes', 'org_id = app_org()');
SELECT protect_table('remarks', 'org_id = app_org()');
SELECT protect_table('diaries', 'user_id = app_user()');
