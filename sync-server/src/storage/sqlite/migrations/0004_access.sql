-- Who may see what.

-- Numbered decisions on roles; the highest number counts.
CREATE TABLE rules (
    number INTEGER PRIMARY KEY,
    -- JSON
    body TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL
) STRICT;

-- The position at which a user, team, territory or role last changed: who may see what is worked
-- out anew when it moves.
ALTER TABLE counter ADD COLUMN directory INTEGER NOT NULL DEFAULT 0;

-- A family, or a single record with readers of its own (a *unit*), is in scopes. `since`: the
-- position at which it came in last; `first`: at which it came in first of all; `gone`: whether it
-- left again, at `position`.
ALTER TABLE family_feed ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE family_feed ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
ALTER TABLE family_feed ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX family_feed_by_family ON family_feed (family, gone, scope);

-- A document that left a unit, at `position`.
ALTER TABLE record_feed ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX record_feed_gone ON record_feed (family, position) WHERE gone = 1;

-- The unit of the record alone, once somebody reads it who does not read its family.
ALTER TABLE document ADD COLUMN alone BLOB;
CREATE INDEX document_by_family ON document (family, entity, part);
CREATE INDEX document_by_unit ON document (alone) WHERE alone IS NOT NULL;

-- Users who read a record alone, and the record that names them.
CREATE TABLE reader (
    record BLOB NOT NULL,
    user BLOB NOT NULL,
    because BLOB NOT NULL,
    PRIMARY KEY (record, user, because)
) STRICT, WITHOUT ROWID;
CREATE INDEX reader_by_cause ON reader (because);

-- Grants that devices were given, so that a later pull can say which one it holds.
CREATE TABLE sent_grant (
    digest BLOB PRIMARY KEY NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What a device held at its last recorded pull: under which grant, up to which position.
CREATE TABLE device_view (
    device BLOB PRIMARY KEY NOT NULL,
    digest BLOB NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Edits that the policy refused, as they were written, and what became of them.
CREATE TABLE review (
    id INTEGER PRIMARY KEY,
    -- kept: refused and told to its author; open: waits for somebody to decide; granted; declined
    state TEXT NOT NULL,
    -- why it waits: late (was allowed when the device last pulled), asked (its author asks), ended
    -- (sent by a device or user that may not write any more)
    reason TEXT NOT NULL,
    device BLOB NOT NULL,
    user BLOB,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    hash BLOB NOT NULL,
    code TEXT NOT NULL,
    -- JSON array: the keys that were refused; all if empty
    keys TEXT NOT NULL,
    -- the change as its author wrote it
    bytes BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    decided_at INTEGER,
    -- the user who decided
    decided_by TEXT NOT NULL DEFAULT '',
    -- the request for approval that asks for it
    proposal BLOB,
    UNIQUE (record, part, hash)
) STRICT;
CREATE INDEX review_open ON review (state, id);

-- Scopes of what is there are worked out when the database is opened next.
ALTER TABLE meta ADD COLUMN scopes_version INTEGER NOT NULL DEFAULT 0;
