-- What the server keeps. Ids and hashes are BLOBs, times are milliseconds since 1970 UTC,
-- positions count the commits that changed something. The typed rows of each entity are not
-- here: they are made from the schema when the database is opened.

CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- drawn once; devices notice by it that they talk to another store
    instance BLOB NOT NULL,
    -- the schema that the typed rows were made from; another one builds them anew
    schema_version INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO meta (only, instance) VALUES (1, randomblob(16));

-- One row: the last position, and how many changes the history has.
CREATE TABLE counter (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL,
    changes INTEGER NOT NULL
) STRICT;

INSERT INTO counter (only, position, changes) VALUES (1, 0, 0);

CREATE TABLE document (
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    family BLOB NOT NULL,
    generation INTEGER NOT NULL,
    -- a flat document: its state; a long text: the saved Automerge document
    content BLOB NOT NULL,
    -- a long text: its heads one after the other, and what it says
    heads BLOB NOT NULL DEFAULT x'',
    text TEXT NOT NULL DEFAULT '',
    digest BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (record, part)
) STRICT;

-- Digests of a stream's documents, page by page, from the index alone.
CREATE INDEX document_by_stream ON document (entity, part, record, digest);

CREATE TABLE change (
    -- order of arrival
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    hash BLOB NOT NULL,
    actor BLOB NOT NULL,
    seq INTEGER NOT NULL,
    start_op INTEGER NOT NULL,
    max_op INTEGER NOT NULL,
    -- everything that it follows, with itself
    clock BLOB NOT NULL,
    bytes BLOB NOT NULL,
    -- JSON array of the keys that it wrote
    keys TEXT NOT NULL,
    device BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    UNIQUE (record, part, hash),
    -- a (document, actor, seq) is written once in the world
    UNIQUE (record, part, actor, seq)
) STRICT;

CREATE INDEX change_by_op ON change (record, part, actor, start_op);
CREATE INDEX change_by_position ON change (record, part, position);

CREATE TABLE refusal (
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    actor BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    code TEXT NOT NULL,
    -- JSON array
    keys TEXT NOT NULL,
    PRIMARY KEY (record, part, actor, seq)
) STRICT, WITHOUT ROWID;

-- The digest of the feed's chain at each position.
CREATE TABLE feed (
    position INTEGER PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT;

-- Who may see which family, and when the family last changed.
CREATE TABLE family_feed (
    scope TEXT NOT NULL,
    family BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (scope, family)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX family_feed_by_position ON family_feed (scope, position, family);

-- The documents of a family, and when each last changed.
CREATE TABLE record_feed (
    family BLOB NOT NULL,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (family, record, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_digest (
    scope TEXT NOT NULL,
    entity TEXT NOT NULL,
    part TEXT NOT NULL,
    digest BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (scope, entity, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id BLOB PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    user_record BLOB,
    prefix BLOB NOT NULL UNIQUE,
    public_key BLOB NOT NULL,
    -- SHA-256: the token itself is known to the device alone
    token_hash BLOB NOT NULL UNIQUE,
    enrolled_at INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT;

CREATE INDEX device_by_position ON device (position, id);

CREATE TABLE enrolment_code (
    code_hash BLOB PRIMARY KEY NOT NULL,
    user TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids and hashes, no values: what people typed lives in the history alone.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    device BLOB,
    action TEXT NOT NULL,
    record BLOB,
    part TEXT,
    hash BLOB,
    code TEXT NOT NULL DEFAULT ''
) STRICT;
