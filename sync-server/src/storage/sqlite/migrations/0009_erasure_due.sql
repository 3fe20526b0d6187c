-- Erasures that the ledger knows and a restored database forgot: carried out before anything is
-- served, and removed then.
CREATE TABLE erasure_due (
    record BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Hashes of changes that an erasure removed: the chain of the feed goes over them. They say nothing
-- of what the changes held.
CREATE TABLE erased_change (
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (position, id)
) STRICT, WITHOUT ROWID;
