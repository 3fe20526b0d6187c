-- Imports that were run, so that one can be taken back.
CREATE TABLE import_batch (
    id INTEGER PRIMARY KEY,
    begun_at INTEGER NOT NULL,
    -- NULL while it runs, or when it was interrupted
    ended_at INTEGER,
    undone_at INTEGER,
    -- name of the file, without its folder
    file TEXT NOT NULL,
    entity TEXT NOT NULL,
    source TEXT NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What an import did to a record.
CREATE TABLE import_effect (
    batch INTEGER NOT NULL,
    record BLOB NOT NULL,
    -- JSON: what it wrote, and what stood there before
    effect TEXT NOT NULL,
    PRIMARY KEY (batch, record)
) STRICT, WITHOUT ROWID;

-- References that wait are told with all that finds them later: by now in another form.
UPDATE import_row SET pending = '', fingerprint = x'' WHERE pending <> '';

CREATE INDEX import_row_pending ON import_row (record) WHERE pending <> '';
