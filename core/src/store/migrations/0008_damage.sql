-- Sums of what is stored, by which a flipped bit is noticed; NULL: not summed yet.
ALTER TABLE document ADD COLUMN sum INTEGER;
ALTER TABLE document ADD COLUMN confirmed_sum INTEGER;

-- What was found damaged, as it was found: nothing is destroyed. A document waits for the server's
-- copy while healed_at is NULL.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    part TEXT NOT NULL,
    entity TEXT NOT NULL,
    -- state, confirmed, change, base, undo, row: which bytes these are
    what TEXT NOT NULL,
    bytes BLOB NOT NULL,
    why TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    healed_at INTEGER
) STRICT;

CREATE INDEX quarantine_open ON quarantine (record, part) WHERE healed_at IS NULL;

-- At which position of the server's feed an acknowledged change is known to be; NULL: not told.
ALTER TABLE own_change ADD COLUMN position INTEGER;

CREATE INDEX own_change_covered ON own_change (position) WHERE position IS NOT NULL;
