-- Tables that grow without bound are partitioned by month and have a default partition, so that no row is ever refused.

-- Makes the partitions of `parent` from this month (UTC) to `months_ahead` months ahead, and gives their number. Rows that
-- wait in the default partition move into the new ones. `parent` must be a table of this schema, partitioned by the range
-- of one timestamptz column, without generated columns.
--
-- It runs with the owner's rights, so that a service can keep its partitions without being able to make tables; the
-- search path is pinned, and nothing but a partitioned table of this schema is accepted.
CREATE FUNCTION ensure_month_partitions(parent regclass, months_ahead integer) RETURNS integer
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
DECLARE
    parent_name name;
    key_column name;
    default_partition regclass;
    month timestamp;
    lower_bound timestamptz;
    upper_bound timestamptz;
    partition_name name;
    made integer := 0;
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 36 THEN
        RAISE EXCEPTION 'months_ahead must be 0 to 36' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT c.relname, a.attname, nullif(p.partdefid, 0)::regclass
        INTO parent_name, key_column, default_partition
        FROM pg_partitioned_table p
        JOIN pg_class c ON c.oid = p.partrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
        WHERE c.oid = parent
            AND c.relnamespace = current_schema()::regnamespace
            AND p.partstrat = 'r' AND p.partnatts = 1 AND a.atttypid = 'timestamptz'::regtype;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not a table of schema % that is partitioned by time', parent, current_schema()
            USING ERRCODE = 'wrong_object_type';
    END IF;
    -- Two sweepers at once would both find a partition missing.
    PERFORM pg_advisory_xact_lock(hashtextextended('month_partitions', parent::oid::bigint));
    FOR n IN 0..months_ahead LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n);
        lower_bound := month AT TIME ZONE 'UTC';
        upper_bound := (month + interval '1 month') AT TIME ZONE 'UTC';
        partition_name := parent_name || to_char(month, '_YYYY_MM');
        CONTINUE WHEN to_regclass(format('%I.%I', current_schema(), partition_name)) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)',
            partition_name, parent);
        IF default_partition IS NOT NULL THEN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', default_partition);
            EXECUTE format(
                'WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                default_partition, key_column, lower_bound, key_column, upper_bound, partition_name);
        END IF;
        EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            parent, partition_name, lower_bound, upper_bound);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION ensure_month_partitions(regclass, integer) FROM PUBLIC;

DO $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION ensure_month_partitions(regclass, integer) TO %I', service_role('system'));
END
$$;
