-- A journal of format 1, as batchgen wrote it before requests in doubt were looked for. The views of
-- that time are kept: they know none of the new kinds of facts.

BEGIN TRANSACTION;

-- Table  fact
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
INSERT INTO fact VALUES(1,1000.0,'run',1,'RunStarted',NULL,NULL,'main','{"version":"0.1.0"}',3328662714);
INSERT INTO fact VALUES(2,1000.25,'job/fox',1,'Wanted','fox',NULL,'main','{"request":"identity of fox","model":"wan2.6-t2v","order":0,"price":500000,"currency":"USD","needs":[],"direct":false}',1373595464);
INSERT INTO fact VALUES(3,1000.25,'job/owl',1,'Wanted','owl',NULL,'main','{"request":"identity of owl","model":"wan2.6-t2v","order":1,"price":500000,"currency":"USD","needs":[],"direct":false}',1314646632);
INSERT INTO fact VALUES(4,1000.25,'job/wave',1,'Wanted','wave',NULL,'main','{"request":"identity of wave","model":"wan2.6-t2v","order":2,"price":500000,"currency":"USD","needs":[],"direct":false}',825529134);
INSERT INTO fact VALUES(5,1000.25,'job/crab',1,'Wanted','crab',NULL,'main','{"request":"identity of crab","model":"wan2.6-t2v","order":3,"price":500000,"currency":"USD","needs":[],"direct":false}',2049948572);
INSERT INTO fact VALUES(6,1001.0,'job/fox',2,'SubmitStarted','fox',1,'main','{}',3654228000);
INSERT INTO fact VALUES(7,1002.0,'job/fox',3,'Submitted','fox',1,'main','{"task_id":"t-fox","request_id":"r-0"}',1544988754);
INSERT INTO fact VALUES(8,1003.0,'job/owl',2,'SubmitStarted','owl',1,'main','{}',3623479474);
INSERT INTO fact VALUES(9,1004.0,'job/owl',3,'Refused','owl',1,'main','{"code":"DataInspectionFailed","message":"the owl is not allowed","sent":true}',4179333077);
INSERT INTO fact VALUES(10,1010.0,'job/fox',4,'RenderingStarted','fox',1,'main','{}',1660853775);
INSERT INTO fact VALUES(11,1090.5,'job/fox',5,'Rendered','fox',1,'main','{"results":[{"path":"/1d/fox.mp4","code":null,"message":null},{"path":null,"code":"DataInspection","message":"no"}],"expires":87490.5,"usage":{"video_duration":5,"ratio":0.1},"cost":500000,"submit_time":1001.0,"end_time":1090.0,"request_id":"r-1","orig_prompt":"狐狸 in a trench coat","actual_prompt":null,"texts":["once","upon"]}',2705571200);
INSERT INTO fact VALUES(12,1100.0,'job/fox',6,'Saved','fox',1,'main','{"index":0,"file":{"path":"fox.mp4","bytes":7}}',2084710527);
INSERT INTO fact VALUES(13,1101.0,'job/fox',7,'Sealed','fox',1,'main','{}',3537010166);
INSERT INTO fact VALUES(14,1102.0,'job/wave',2,'SubmitStarted','wave',1,'main','{}',3849832445);
INSERT INTO fact VALUES(15,1103.0,'job/wave',3,'SubmitLost','wave',1,'main','{"reason":"the connection was reset"}',2175866769);
INSERT INTO fact VALUES(16,1104.0,'job/crab',2,'SubmitStarted','crab',1,'main','{}',1264192748);
INSERT INTO fact VALUES(17,1105.0,'job/crab',3,'Submitted','crab',1,'main','{"task_id":"t-crab","request_id":null}',1753858575);
INSERT INTO fact VALUES(18,15505.0,'job/crab',4,'Parked','crab',1,'main','{"reason":"running for 4 h"}',1286481944);
INSERT INTO fact VALUES(19,15600.0,'job/crab',5,'Unparked','crab',1,'main','{}',3806820935);
INSERT INTO fact VALUES(20,15601.0,'lane/main/wan2.1',1,'LaneStopped',NULL,NULL,'main','{"model":"wan2.1","code":"AccessDenied","message":"not bought"}',2969899402);
-- Triggers and indices on  fact
CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
BEGIN SELECT raise(ABORT, 'the log is append-only: a fact is never changed'); END;
CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact
BEGIN SELECT raise(ABORT, 'the log is append-only: a fact is never deleted'); END;

-- Table  head
CREATE TABLE head (
  only     INTEGER PRIMARY KEY CHECK (only = 1),
  seq      INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
INSERT INTO head VALUES(1,20,2969899402);

-- Table  link
CREATE TABLE link (
  job      TEXT    NOT NULL,
  attempt  INTEGER NOT NULL,
  result   INTEGER NOT NULL,                       -- counts from 0, by place in the answer
  url      TEXT    NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (job, attempt, result)
) STRICT, WITHOUT ROWID;
INSERT INTO link VALUES('crab',1,0,'https://host/crab.mp4?Signature=s3cr3t',1233744085);

-- Table  request
CREATE TABLE request (
  identity TEXT    PRIMARY KEY,
  document TEXT    NOT NULL,                       -- a JSON object
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO request VALUES('a','{"prompt":"fox"}',2126919863);

-- Table  stamp
CREATE TABLE stamp (
  key      TEXT    PRIMARY KEY,
  value    TEXT    NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO stamp VALUES('created_by','0.1.0',2285232559);
INSERT INTO stamp VALUES('kind','sandbox',3963458323);
INSERT INTO stamp VALUES('manifest','detective',1528023345);
INSERT INTO stamp VALUES('source','',1014214107);

-- Views
CREATE VIEW meaning (kind, state, problem) AS VALUES
  ('Wanted',           'pending',     0),
  ('Deferred',         'pending',     0),
  ('Requeued',         'pending',     0),
  ('Withdrawn',        'withdrawn',   0),
  ('SubmitStarted',    'submitting',  0),
  ('SubmitLost',       'in doubt',    1),
  ('Submitted',        'rendering',   0),
  ('RenderingStarted', 'rendering',   0),
  ('Unparked',         'rendering',   0),
  ('Rendered',         'ready',       0),
  ('Reopened',         'ready',       0),
  ('ResultsVanished',  'ready',       0),
  ('SidecarVanished',  'ready',       0),
  ('Sealed',           'done',        0),
  ('SealedInPart',     'partial',     1),
  ('Refused',          'failed',      1),
  ('Barred',           'failed',      1),
  ('TaskFailed',       'failed',      1),
  ('TaskCanceled',     'cancelled',   1),
  ('Parked',           'stuck',       1),
  ('Lost',             'lost',        1),
  ('Expired',          'expired',     1);
CREATE VIEW step AS
SELECT fact.*, meaning.state, meaning.problem
FROM fact JOIN meaning ON meaning.kind = fact.kind
WHERE NOT (
  fact.kind IN ('Rendered', 'Sealed', 'SealedInPart', 'Parked', 'Lost') AND EXISTS (
    SELECT 1 FROM fact AS halt
    WHERE halt.subject = fact.subject AND halt.version < fact.version
      AND halt.kind IN ('Parked', 'Lost', 'Expired') AND NOT EXISTS (
        SELECT 1 FROM fact AS again
        WHERE again.subject = fact.subject
          AND again.version > halt.version AND again.version < fact.version
          AND again.kind IN ('Unparked', 'Reopened', 'SubmitStarted')
      )
  )
);
CREATE VIEW purchase AS
SELECT
  fact.seq, fact.job, fact.attempt, fact.at,
  (SELECT wanted.body FROM fact AS wanted
   WHERE wanted.subject = fact.subject AND wanted.version < fact.version AND wanted.kind = 'Wanted'
   ORDER BY wanted.version DESC LIMIT 1) AS wanted,
  json_array_length(fact.body, '$.results') AS results,
  fact.body ->> '$.cost' AS cost
FROM fact
WHERE fact.kind = 'Rendered' AND NOT EXISTS (  -- a task that was asked for new URLs is told anew
  SELECT 1 FROM fact AS later
  WHERE later.subject = fact.subject AND later.attempt = fact.attempt
    AND later.version > fact.version AND later.kind = 'Rendered'
);
CREATE VIEW jobs AS
WITH
  newest AS (
    SELECT
      job,
      max(seq) AS step,
      max(seq) FILTER (WHERE kind = 'Wanted') AS wanted,
      max(seq) FILTER (WHERE kind = 'Submitted') AS submitted,
      max(seq) FILTER (
        WHERE kind IN ('Rendered', 'Refused', 'Barred', 'TaskFailed', 'TaskCanceled')
      ) AS finished,
      max(attempt) FILTER (WHERE kind = 'SubmitStarted') AS attempts
    FROM step
    GROUP BY job
  ),
  bought AS (SELECT job, sum(cost) / 1e6 AS cost FROM purchase GROUP BY job),
  kept AS (
    SELECT job, group_concat(path, ', ') AS files
    FROM (
      SELECT DISTINCT job, body ->> '$.file.path' AS path FROM fact WHERE kind = 'Saved' ORDER BY seq
    )
    GROUP BY job
  )
SELECT
  newest.job,
  step.state,
  wanted.body ->> '$.model' AS model,
  coalesce(newest.attempts, 0) AS attempts,
  submitted.body ->> '$.task_id' AS task_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', submitted.at, 'unixepoch') AS submitted,
  strftime('%Y-%m-%dT%H:%M:%SZ', coalesce(finished.body ->> '$.end_time', finished.at), 'unixepoch')
    AS finished,
  bought.cost,
  wanted.body ->> '$.currency' AS currency,
  kept.files
FROM newest
JOIN step ON step.seq = newest.step
LEFT JOIN fact AS wanted ON wanted.seq = newest.wanted
LEFT JOIN fact AS submitted ON submitted.seq = newest.submitted
LEFT JOIN fact AS finished ON finished.seq = newest.finished
LEFT JOIN bought ON bought.job = newest.job
LEFT JOIN kept ON kept.job = newest.job
ORDER BY wanted.body ->> '$.order', newest.job;
CREATE VIEW attempts AS
WITH newest AS (
  SELECT
    job,
    attempt,
    max(seq) AS step,
    min(at) FILTER (WHERE kind = 'SubmitStarted') AS started,
    max(seq) FILTER (WHERE kind = 'Submitted') AS submitted
  FROM step
  WHERE attempt IS NOT NULL
  GROUP BY job, attempt
)
SELECT
  newest.job,
  newest.attempt,
  step.state,
  purchase.wanted ->> '$.model' AS model,
  submitted.body ->> '$.task_id' AS task_id,
  submitted.body ->> '$.request_id' AS request_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', newest.started, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%SZ', step.at, 'unixepoch') AS changed,
  purchase.cost / 1e6 AS cost,
  purchase.wanted ->> '$.currency' AS currency,
  step.body ->> '$.code' AS code,
  coalesce(step.body ->> '$.message', step.body ->> '$.reason') AS message
FROM newest
JOIN step ON step.seq = newest.step
LEFT JOIN fact AS submitted ON submitted.seq = newest.submitted
LEFT JOIN purchase ON purchase.job = newest.job AND purchase.attempt = newest.attempt
ORDER BY newest.job, newest.attempt;
CREATE VIEW spend AS
WITH bought AS (
  SELECT wanted ->> '$.model' AS model, wanted ->> '$.currency' AS currency, results, cost
  FROM purchase
  UNION ALL
  SELECT
    body ->> '$.model',
    (SELECT wanted.body ->> '$.currency' FROM fact AS wanted WHERE wanted.kind = 'Wanted' LIMIT 1),
    0,
    body ->> '$.cost'
  FROM fact
  WHERE kind IN ('CheckPassed', 'CheckFailed')
)
SELECT
  model,
  currency,
  count(*) AS attempts,
  sum(results) AS results,
  sum(cost) / 1e6 AS cost,
  count(*) FILTER (WHERE cost IS NULL) AS unpriced
FROM bought
GROUP BY model, currency
ORDER BY model, currency;
CREATE VIEW problems AS
SELECT
  step.job,
  step.attempt,
  step.state,
  strftime('%Y-%m-%dT%H:%M:%SZ', step.at, 'unixepoch') AS since,
  step.body ->> '$.code' AS code,
  CASE step.kind WHEN 'SealedInPart' THEN 'the service made only some of the results'
    ELSE coalesce(step.body ->> '$.message', step.body ->> '$.reason') END AS message
FROM (SELECT max(seq) AS seq FROM step GROUP BY job) AS newest
JOIN step ON step.seq = newest.seq
WHERE step.problem
UNION ALL
SELECT
  NULL,
  NULL,
  'stopped: ' || coalesce(body ->> '$.model', 'account ' || account),
  strftime('%Y-%m-%dT%H:%M:%SZ', at, 'unixepoch'),
  body ->> '$.code',
  body ->> '$.message'
FROM fact
WHERE kind = 'LaneStopped'
  AND seq > (SELECT coalesce(max(seq), 0) FROM fact WHERE kind = 'RunStarted')
ORDER BY since, job;
CREATE VIEW story AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at, 'unixepoch') AS at,
  account,
  job,
  attempt,
  kind AS what,
  body AS details
FROM fact
ORDER BY seq;

-- Database header
pragma user_version=1;
pragma application_id=1650943342;

COMMIT TRANSACTION;
