-- Turns a sandbox's file of today into one of version 1.

CREATE TABLE old (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL, account TEXT NOT NULL,
    model TEXT NOT NULL, digest TEXT NOT NULL, work TEXT, code TEXT, message TEXT, created REAL NOT NULL,
    ready REAL NOT NULL, run REAL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    scheduled REAL, ended REAL, seconds INTEGER NOT NULL, images INTEGER NOT NULL, cost INTEGER NOT NULL
) STRICT;
INSERT INTO old
SELECT
    number, id, request_id, account, model, digest,
    json_set(
        json_remove(work, '$.inputs', '$.function', '$.mode', '$.input_seconds', '$.failed'),
        '$.picture', json(iif(model = 'wan2.6-i2v', '{"digest": "", "source": "a.png", "width": 0, "height": 0}', 'null'))
    ),
    code, message, created, ready, run, status, scheduled, ended, CAST(seconds AS INTEGER), images, cost
FROM task;
DROP TABLE task;
DROP TABLE upload;
DROP TABLE workspace_limit;
ALTER TABLE old RENAME TO task;
CREATE INDEX task_active ON task (number) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX task_by_account ON task (account, created);
CREATE VIEW bill AS SELECT count(*) AS tasks_created FROM task;
PRAGMA user_version = 1;
