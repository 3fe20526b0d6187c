-- How far the ledger beside the database went when this database last saw it.

CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- which ledger; empty until there is one
    id BLOB NOT NULL DEFAULT x'',
    entries INTEGER NOT NULL DEFAULT 0,
    -- hash of the last line
    hash BLOB NOT NULL DEFAULT x''
) STRICT;

INSERT INTO ledger (only) VALUES (1);

-- When this database was put back from a backup. The mark is part of the feed's chain at its
-- position, so that what comes afterwards is told from what was there before.
CREATE TABLE restoration (
    position INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    mark BLOB NOT NULL
) STRICT;
