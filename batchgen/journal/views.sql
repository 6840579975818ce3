-- The views of a journal, for people: batchgen never reads them. They are made anew by each run whose
-- batchgen has others than the journal, so they know every kind of fact that is in it. They run on
-- the SQLite of whoever looks, 3.38 or later, such as Debian 12's:
--
--     sqlite3 -readonly -box journal.sqlite 'SELECT * FROM jobs'
--
-- Times are ISO 8601 in UTC, money is in whole units of a currency.

-- Where a kind of fact takes its job, in the program's own words. A kind that is not here moves
-- nothing: a download that breaks or is saved leaves its job where it was.
CREATE VIEW meaning (kind, state, problem) AS VALUES
  ('Wanted',           'pending',     0),
  ('Deferred',         'pending',     0),
  ('Requeued',         'pending',     0),
  ('FoundAbsent',      'pending',     0),
  ('Renewed',          'pending',     0),
  ('Withdrawn',        'withdrawn',   0),
  ('SubmitStarted',    'submitting',  0),
  ('SubmitLost',       'in doubt',    1),
  ('SoughtInVain',     'in doubt',    1),
  ('Held',             'in doubt',    1),
  ('Submitted',        'rendering',   0),
  ('Adopted',          'rendering',   0),
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

-- The facts that moved their job. One that was parked, lost or expired stays so, whatever comes in
-- late, until a new run takes it up.
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
          AND again.kind IN ('Unparked', 'Reopened', 'Renewed', 'SubmitStarted')
      )
  )
);

-- What was bought: one row for each attempt whose results the service made.
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

-- One row a job, in the order of the manifest.
CREATE VIEW jobs AS
WITH
  newest AS (
    SELECT
      job,
      max(seq) AS step,
      max(seq) FILTER (WHERE kind = 'Wanted') AS wanted,
      max(seq) FILTER (WHERE kind IN ('Submitted', 'Adopted')) AS submitted,
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

-- One row an attempt: each is a request that may have been paid for.
CREATE VIEW attempts AS
WITH newest AS (
  SELECT
    job,
    attempt,
    max(seq) AS step,
    min(at) FILTER (WHERE kind = 'SubmitStarted') AS started,
    max(seq) FILTER (WHERE kind IN ('Submitted', 'Adopted')) AS submitted
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

-- What all runs of this batch bought so far: tasks, and checks of inputs, which have no results.
-- "unpriced" counts the attempts whose price is unknown.
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

-- What went wrong and is not mended yet, with the service's words.
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

-- Everything, in the order in which it was learned.
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
