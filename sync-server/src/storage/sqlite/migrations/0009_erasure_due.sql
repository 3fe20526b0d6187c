-- Erasures that the ledger knows and a restored database forgot: carried out before anything is
-- served, and removed then.
CREATE TABLE erasure_due (
    record BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
