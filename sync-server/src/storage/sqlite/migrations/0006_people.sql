-- The audit becomes a chain; people get a second factor; accounts can be switched off.

-- which account did it, to whom, and to how many records
ALTER TABLE audit ADD COLUMN account BLOB;
ALTER TABLE audit ADD COLUMN subject BLOB;
ALTER TABLE audit ADD COLUMN count INTEGER;
-- the hash of the line and of everything before it; lines from before get theirs when the
-- database is opened
ALTER TABLE audit ADD COLUMN chain BLOB NOT NULL DEFAULT x'';

-- Where the chain stood, signed by the server.
CREATE TABLE audit_head (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- One row, once old lines were taken away: the last one that is gone, signed by the server.
CREATE TABLE audit_anchor (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;

ALTER TABLE account ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;

-- as whom an administrator looks at the office: an account, or a user's record
ALTER TABLE session ADD COLUMN seen_account BLOB;
ALTER TABLE session ADD COLUMN seen_user BLOB;
-- what sort of browser it is, such as "Firefox, Windows"
ALTER TABLE session ADD COLUMN browser TEXT NOT NULL DEFAULT '';

CREATE TABLE second_factor (
    account BLOB PRIMARY KEY NOT NULL REFERENCES account (id),
    -- sealed with a key that comes from the server's own, which is not in the database
    secret BLOB NOT NULL,
    -- asked for from the moment on that a first code was right
    is_confirmed INTEGER NOT NULL DEFAULT 0,
    -- the last time step whose code was taken: none is taken twice
    last_step INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For who has lost the second factor: SHA-256, each good once.
CREATE TABLE recovery_code (
    account BLOB NOT NULL REFERENCES account (id),
    code_hash BLOB NOT NULL,
    PRIMARY KEY (account, code_hash)
) STRICT, WITHOUT ROWID;
