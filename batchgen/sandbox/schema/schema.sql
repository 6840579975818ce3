-- The sandbox's memory: its tasks, its uploads, its limits, its clock, its ports. Times are Unix seconds of the sandbox's own clock.
-- Tasks are never deleted: what the service forgets after 24 hours stays on the bill.

CREATE TABLE IF NOT EXISTS memory (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT;

CREATE TABLE task (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    request_id   TEXT NOT NULL,               -- of the submit
    account      TEXT NOT NULL,
    model        TEXT NOT NULL,
    digest       TEXT NOT NULL,               -- SHA-256 of the request, its keys sorted, uploads by their content
    work         TEXT,                        -- the order as JSON; NULL when the request was flawed
    code         TEXT,                        -- why it fails; NULL when it will succeed
    message      TEXT,
    created      REAL NOT NULL,
    ready        REAL NOT NULL,               -- the earliest start, or the end of one that fails at inspection
    run          REAL,                        -- seconds of rendering; NULL when it fails at inspection
    status       TEXT NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    scheduled    REAL,
    ended        REAL,
    key_id       TEXT NOT NULL,               -- which of the keys it was made with
    synchronous  INTEGER NOT NULL CHECK (synchronous IN (0, 1)), -- answered with its result, and no task to the client
    seconds      REAL NOT NULL,
    images       INTEGER NOT NULL,
    cost         INTEGER NOT NULL             -- micro-units of the currency in `memory`, due on success
) STRICT;

CREATE TABLE upload (
    key      TEXT PRIMARY KEY,                -- what follows oss://
    created  REAL NOT NULL
) STRICT;

CREATE TABLE workspace_limit (
    account               TEXT NOT NULL,
    model                 TEXT NOT NULL,
    request_limit         INTEGER,
    request_limit_period  INTEGER,            -- seconds
    usage_limit           INTEGER,
    usage_limit_period    INTEGER,            -- seconds
    PRIMARY KEY (account, model)
) STRICT;
