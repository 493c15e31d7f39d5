DROP TABLE diaries;
DROP TABLE remarks;
DROP TABLE notes;
