-- People who sign in to the office pages, and where they are signed in.

CREATE TABLE account (
    id BLOB PRIMARY KEY NOT NULL,
    -- lower case: what is typed is made so before it is looked up
    login TEXT NOT NULL UNIQUE,
    -- the name under which edits are written
    user TEXT NOT NULL,
    -- the user's record, once there is one
    user_record BLOB,
    role TEXT NOT NULL,
    -- PHC text of Argon2id; the password itself is nowhere
    password_hash TEXT NOT NULL,
    -- empty: what the browser asks for
    language TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    -- SHA-256: the token itself is known to the browser alone
    token_hash BLOB PRIMARY KEY NOT NULL,
    account BLOB NOT NULL REFERENCES account (id),
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_account ON session (account, created_at);
