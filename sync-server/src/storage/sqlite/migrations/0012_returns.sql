-- The days on which some device was heard of: how long one was away is counted in these, because a
-- clock may jump by years.

CREATE TABLE contact_day (
    -- days since 1970
    day INTEGER PRIMARY KEY
) STRICT;

INSERT OR IGNORE INTO contact_day (day)
SELECT last_contact_at / 86400000 FROM device WHERE last_contact_at > 0;

-- Where the feed stood when the last change came back, and when each device had last sent everything
-- again: what one brings lets another bring what follows it.
ALTER TABLE recovery ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE returned ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
