-- The sandbox's memory: its tasks, its clock, its ports. Times are Unix seconds of the sandbox's own clock.
-- Rows are never deleted: what the service forgets after 24 hours stays on the bill.

CREATE TABLE memory (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT;

CREATE TABLE task (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    request_id   TEXT NOT NULL,               -- of the submit
    account      TEXT NOT NULL,
    model        TEXT NOT NULL,
    digest       TEXT NOT NULL,               -- SHA-256 of the request, its keys sorted
    work         TEXT,                        -- the order as JSON; NULL when the request was flawed
    code         TEXT,                        -- why it fails; NULL when it will succeed
    message      TEXT,
    created      REAL NOT NULL,
    ready        REAL NOT NULL,               -- the earliest start, or the end of one that fails at inspection
    run          REAL,                        -- seconds of rendering; NULL when it fails at inspection
    status       TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    scheduled    REAL,
    ended        REAL,
    seconds      INTEGER NOT NULL,
    images       INTEGER NOT NULL,
    cost         INTEGER NOT NULL             -- micro-USD, due on success
) STRICT;

CREATE INDEX task_active ON task (number) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX task_by_account ON task (account, created);

CREATE VIEW bill AS
SELECT
    count(*)                                                     AS tasks_created,
    count(*) FILTER (WHERE status = 'SUCCEEDED')                 AS succeeded,
    count(*) FILTER (WHERE status = 'FAILED')                    AS failed,
    count(*) FILTER (WHERE status = 'CANCELED')                  AS canceled,
    coalesce(sum(seconds) FILTER (WHERE status = 'SUCCEEDED'), 0) AS video_seconds,
    coalesce(sum(images) FILTER (WHERE status = 'SUCCEEDED'), 0) AS images,
    coalesce(sum(cost) FILTER (WHERE status = 'SUCCEEDED'), 0)   AS amount,
    count(*) - count(DISTINCT account || ' ' || digest)          AS equal_requests
FROM task;
