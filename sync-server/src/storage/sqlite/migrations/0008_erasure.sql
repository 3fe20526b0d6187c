-- Records that were erased. Nothing personal: what was erased is gone, that it was stays.
CREATE TABLE erasure (
    -- devices carry erasures out in this order, and confirm by the highest number
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL UNIQUE,
    -- empty: nothing of it was here when the erasure was carried out again
    entity TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- who stands among the devices for the user who did it; none when it was carried out again
    by_device BLOB,
    generation INTEGER NOT NULL,
    -- JSON: how much went
    counts TEXT NOT NULL,
    -- whether what was removed is overwritten in the files too
    is_swept INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Up to which number a device said that it carried erasures out, and when it said so.
CREATE TABLE erasure_done (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, number)
) STRICT, WITHOUT ROWID;
