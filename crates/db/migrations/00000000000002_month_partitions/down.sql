DROP FUNCTION ensure_month_partitions(regclass, integer);
