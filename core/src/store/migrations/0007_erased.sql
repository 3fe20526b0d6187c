-- Records that were erased: nobody writes them again, and what the erasure took is told by count.
CREATE TABLE erased (
    record BLOB PRIMARY KEY NOT NULL,
    -- the server's number of the erasure
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- typed values that the office never had and that went with the record
    taken INTEGER NOT NULL,
    -- whether what was removed is overwritten in the files
    is_swept INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Scopes from before the server was put back to a backup: they go with the next whole pull unless it
-- names them again.
ALTER TABLE unit_scope ADD COLUMN is_stale INTEGER NOT NULL DEFAULT 0;
