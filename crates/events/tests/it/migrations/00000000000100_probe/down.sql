DROP TABLE effects;
DROP TABLE changes;
