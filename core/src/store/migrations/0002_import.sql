-- What an import left behind, so that the same file imported again changes nothing.

CREATE TABLE import_row (
    record BLOB PRIMARY KEY NOT NULL,
    -- 8 bytes per mapped field: a digest of its name and of its value in the file
    fingerprint BLOB NOT NULL,
    -- JSON object field -> text: references to records that were not here; empty: none
    pending TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
