DROP TABLE memory_history;
DROP TABLE memories;
DROP TABLE messages;
DROP TABLE sessions;
