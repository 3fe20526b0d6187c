-- The sum of what a document's row holds, by which a flipped bit is noticed; NULL: not summed yet.
ALTER TABLE document ADD COLUMN sum INTEGER;

-- What was found damaged, as it was found: nothing is destroyed. healed_at is NULL for what the
-- history did not make anew.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    -- content, text: which bytes these are
    what TEXT NOT NULL,
    bytes BLOB NOT NULL,
    why TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    healed_at INTEGER
) STRICT;

CREATE INDEX quarantine_of_document ON quarantine (record, part);

-- Backups that were finished: up to which position each covers the feed.
CREATE TABLE backup (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    -- so many of the newest ones the operator keeps
    kept INTEGER NOT NULL
) STRICT;
