-- Makes room for the tables of version 2 in a file of version 1.

DROP VIEW bill;
DROP INDEX task_active;
DROP INDEX task_by_account;
ALTER TABLE task RENAME TO task_1;
