-- What is looked up fast. Made wherever it lacks: a file of an earlier day gets what was added since.

CREATE INDEX IF NOT EXISTS task_active ON task (number) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX IF NOT EXISTS task_equal ON task (account, digest);
CREATE INDEX IF NOT EXISTS task_listed ON task (account, created, number) WHERE synchronous = 0;

-- What follows the number lets tasks be counted without a look at each.
CREATE INDEX IF NOT EXISTS task_by_status
    ON task (account, status, created, number, model, key_id, ended) WHERE synchronous = 0;

CREATE INDEX IF NOT EXISTS upload_by_age ON upload (created);
