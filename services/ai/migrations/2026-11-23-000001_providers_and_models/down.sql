DROP TABLE tombstones;
DROP TABLE routes;
DROP TABLE models;
DROP TABLE providers;
