-- Documents move to a table with row ids. In one without, whole rows stand in the tree's inner
-- pages too, and a row beyond a quarter of a page spills: the first edit of a confirmed record,
-- which keeps both states, took a page of its own.
CREATE TABLE document_by_row (
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
) STRICT;

INSERT INTO document_by_row
    (record, part, entity, state, confirmed, own_actor, own_seq, own_hash, digest)
SELECT record, part, entity, state, confirmed, own_actor, own_seq, own_hash, digest
FROM document ORDER BY record, part;

DROP TABLE document;
ALTER TABLE document_by_row RENAME TO document;

CREATE INDEX document_by_stream ON document (entity, part, record) WHERE digest IS NOT NULL;
