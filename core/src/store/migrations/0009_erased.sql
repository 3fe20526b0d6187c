-- Records that were erased: nobody writes them again, and what the erasure took is told by count.
CREATE TABLE erased (
    record BLOB PRIMARY KEY NOT NULL,
    -- the server's number of the erasure
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- typed values that the office never had and that went with the record
    taken INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
