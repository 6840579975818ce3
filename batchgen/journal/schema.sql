-- The journal of one batch, format 2.
--
-- batchgen itself writes and reads the tables with the SQLite that it brings (3.51.3 or later: older
-- ones can corrupt a WAL database that two connections use). The views for people
-- are in views.sql.
--
-- Times in tables are Unix seconds. Money is in micro-units of a currency.

PRAGMA application_id = 0x6267656e; -- "bgen"
PRAGMA user_version = 2;

-- What happened, in the order in which it was learned. A checksum continues the one of the row
-- before it, so a row that is changed, missing or out of order shows.
CREATE TABLE fact (
  seq      INTEGER PRIMARY KEY,                    -- 1, 2, 3 ... without a gap
  at       REAL    NOT NULL,
  subject  TEXT    NOT NULL,                       -- the stream whose order matters
  version  INTEGER NOT NULL CHECK (version >= 1),  -- place in that stream, without a gap
  kind     TEXT    NOT NULL,
  job      TEXT,
  attempt  INTEGER,
  account  TEXT    NOT NULL,
  body     TEXT    NOT NULL,                       -- the fact's other fields, a JSON object
  checksum INTEGER NOT NULL,
  UNIQUE (subject, version)
) STRICT;

CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
BEGIN SELECT raise(ABORT, 'the log is append-only: a fact is never changed'); END;

CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact
BEGIN SELECT raise(ABORT, 'the log is append-only: a fact is never deleted'); END;

-- The last fact: without this row, a log that lost its end would look like a shorter log.
CREATE TABLE head (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  seq      INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

-- What the jobs ask for, each request once, by its identity.
CREATE TABLE request (
  identity TEXT    PRIMARY KEY,
  document TEXT    NOT NULL,                       -- a JSON object
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed URLs of results that are not fetched yet. Who has one can fetch the result, so they live
-- here and not in facts, and go as the result is saved.
CREATE TABLE link (
  job      TEXT    NOT NULL,
  attempt  INTEGER NOT NULL,
  result   INTEGER NOT NULL,                       -- counts from 0, by place in the answer
  url      TEXT    NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (job, attempt, result)
) STRICT, WITHOUT ROWID;

-- What this journal is: kind (sandbox or service), manifest (its name), source (where its file lies,
-- seen from the batch's folder), created_by (the version that gave it its format), id (by chance: the
-- checksum of the first fact continues the id's, so that no other journal's -wal file fits).
CREATE TABLE stamp (
  key      TEXT    PRIMARY KEY,
  value    TEXT    NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
