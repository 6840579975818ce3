-- What the facts up to some row add up to, so that a long log need not be read to its beginning. It
-- can be made anew from the facts at any time: what is not whole, or not of this log, is thrown away.
--
-- Place 0 says how far it goes, and holds everything that is not about one job; the others hold a job
-- each, in the order in which they came. Journals of earlier versions have no such table until they
-- are folded for the first time, and whoever does not know it may go on without it.
CREATE TABLE IF NOT EXISTS fold (
  place    INTEGER PRIMARY KEY,
  body     TEXT    NOT NULL,                       -- JSON
  checksum INTEGER NOT NULL
) STRICT;
