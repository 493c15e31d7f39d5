DROP TABLE deleted_teams;
DROP TABLE team_members;
DROP TABLE usage_records;
DROP TABLE quota_leases;
DROP TABLE quota_windows;
DROP TABLE quotas;
