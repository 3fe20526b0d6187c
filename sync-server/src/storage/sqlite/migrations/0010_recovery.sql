-- That this database was put back to a backup, announced or found out by what devices hold, and
-- which of them came back since.

CREATE TABLE recovery (
    number INTEGER PRIMARY KEY,
    -- where the feed stood
    position INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    is_announced INTEGER NOT NULL,
    -- 0 while something may still come back
    closed_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE returned (
    number INTEGER NOT NULL REFERENCES recovery (number),
    device BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (number, device)
) STRICT, WITHOUT ROWID;

-- What was put back before this table was there came back long ago.
INSERT INTO recovery (number, position, opened_at, is_announced, closed_at)
SELECT row_number() OVER (ORDER BY position), position, at, 1, at FROM restoration;
