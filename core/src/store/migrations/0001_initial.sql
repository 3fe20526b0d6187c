-- What a device keeps. Typed rows (one table per entity) are made from the schema, not here.

-- Settings of this store: who we are, where we stand with the server.
CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT;

-- The truth: one row per document.
CREATE TABLE document (
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    -- flat parts: the state; long texts: the saved Automerge document
    state BLOB NOT NULL,
    -- the last confirmed state while edits wait; NULL when nothing waits: then state is confirmed
    confirmed BLOB,
    -- the last change that this device wrote here; NULL: go on under an actor that never wrote
    own_actor BLOB,
    own_seq INTEGER,
    own_hash BLOB,
    -- digest of the confirmed content; NULL while the server has nothing of it
    digest BLOB,
    PRIMARY KEY (record, part)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_by_stream ON document (entity, part, record) WHERE digest IS NOT NULL;

-- Changes of this device: the outbox while acknowledged_at is NULL, afterwards kept so that they
-- can be given back to a server that lost them.
CREATE TABLE own_change (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    generation INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    -- what was confirmed when it was written; empty once acknowledged
    base BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    acknowledged_at INTEGER
) STRICT;

CREATE INDEX own_change_waiting ON own_change (id) WHERE acknowledged_at IS NULL;
CREATE INDEX own_change_of_document ON own_change (record, part) WHERE acknowledged_at IS NULL;

-- Why a record is here; it is purged when the last reason goes.
CREATE TABLE membership (
    record BLOB NOT NULL,
    scope TEXT NOT NULL,
    PRIMARY KEY (record, scope)
) STRICT, WITHOUT ROWID;

-- Streams that are held up to the cursor.
CREATE TABLE stream (
    scope TEXT NOT NULL,
    entity TEXT NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (scope, entity, part)
) STRICT, WITHOUT ROWID;

-- Refusals, waiting for a person.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    code TEXT NOT NULL,
    -- JSON object: key -> refused value
    refused TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    dismissed_at INTEGER
) STRICT;

-- Who stands behind the actors of a prefix.
CREATE TABLE author (
    prefix BLOB PRIMARY KEY NOT NULL,
    device BLOB NOT NULL,
    user TEXT NOT NULL,
    device_name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When concurrent values were written.
CREATE TABLE provenance (
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    actor BLOB NOT NULL,
    counter INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (record, part, actor, counter)
) STRICT, WITHOUT ROWID;
