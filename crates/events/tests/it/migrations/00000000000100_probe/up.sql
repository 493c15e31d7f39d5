-- What a producer changes: each row is one acknowledged change.
CREATE TABLE changes (event_id uuid PRIMARY KEY, subject uuid NOT NULL, sequence bigint NOT NULL);
SELECT protect_table('changes', 'true');
-- What a consumer did. No unique key: an effect that happens twice must show as two rows.
CREATE TABLE effects (event_id uuid NOT NULL, subject uuid NOT NULL, sequence bigint NOT NULL);
SELECT protect_table('effects', 'true');
