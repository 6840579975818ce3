-- Fills the tables of version 2. All tasks of version 1 were asynchronous and of one key.

INSERT INTO task
SELECT
    number, id, request_id, account, model, digest, work, code, message, created, ready, run, status,
    scheduled, ended, '1', 0, seconds, images, cost
FROM task_1;

DROP TABLE task_1;
