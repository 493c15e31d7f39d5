DROP TABLE extraction_usage;
DROP TABLE extractions;
DROP TABLE extraction_jobs;
