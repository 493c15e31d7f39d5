DROP TABLE rebuilds;
