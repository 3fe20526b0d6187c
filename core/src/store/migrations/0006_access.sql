-- Why records are here: the scopes that the server names, by unit (a family, or a record alone).
DROP TABLE membership;
DROP TABLE stream;

CREATE TABLE place (
    record BLOB PRIMARY KEY NOT NULL,
    family BLOB NOT NULL,
    -- the unit of the record alone
    alone BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX place_by_family ON place (family);
CREATE INDEX place_by_unit ON place (alone);

CREATE TABLE unit_scope (
    unit BLOB NOT NULL,
    scope TEXT NOT NULL,
    PRIMARY KEY (unit, scope)
) STRICT, WITHOUT ROWID;

-- Which change was refused, and the request for approval that asks for it.
ALTER TABLE inbox ADD COLUMN hash BLOB;
ALTER TABLE inbox ADD COLUMN proposal BLOB;

-- Records that may have to go: looked at when a pull has come to its end, and kept here while edits
-- of them wait.
CREATE TABLE leaving (
    record BLOB PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;
