-- What stood where a change of this device wrote, so that a person can take it back: CBOR, a few
-- bytes beside the old values. Empty: it cannot be taken back (imported, older, or long ago).
ALTER TABLE own_change ADD COLUMN undo BLOB NOT NULL DEFAULT x'';
