-- What was said in calls that are to be remembered, until memory has it: written with the call's record and event, which
-- says nothing of what was said, and fetched by memory when it hears the event.

CREATE TABLE turns (
    completion_id  uuid PRIMARY KEY,
    org_id         uuid NOT NULL,
    user_id        uuid NOT NULL,
    model          text NOT NULL,
    turn           jsonb NOT NULL CHECK (jsonb_typeof(turn) = 'object'),
    finished_at    timestamptz NOT NULL
);
-- What nobody fetched goes by age.
CREATE INDEX turns_age_idx ON turns (finished_at);

SELECT protect_table('turns', 'org_id = app_org()', 'SELECT, DELETE');
