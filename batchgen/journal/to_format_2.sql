-- From format 1: new kinds of facts came, which an older batchgen cannot read. A journal that began
-- so has no id in its stamp.

PRAGMA user_version = 2;
