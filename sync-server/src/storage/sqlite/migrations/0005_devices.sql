-- Devices that wait for approval, that were turned away, that are to be wiped; their tokens.

-- active, suspended (must be approved again) or revoked
ALTER TABLE device ADD COLUMN standing TEXT NOT NULL DEFAULT 'active';
-- why, as a code: office, token_reused, token_idle, token_expired, wiped
ALTER TABLE device ADD COLUMN standing_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN standing_at INTEGER NOT NULL DEFAULT 0;
-- 0: not ordered, not confirmed
ALTER TABLE device ADD COLUMN wipe_ordered_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN wiped_at INTEGER NOT NULL DEFAULT 0;
-- SHA-256 of the code that it was enrolled with: a device whose answer was lost asks again with it
ALTER TABLE device ADD COLUMN code_hash BLOB NOT NULL DEFAULT x'';

CREATE INDEX device_barred ON device (id) WHERE standing <> 'active' OR wipe_ordered_at > 0;
CREATE INDEX device_by_code ON device (code_hash) WHERE length(code_hash) > 0;

-- Users whose devices all are turned away.
CREATE TABLE disabled_user (
    user TEXT PRIMARY KEY NOT NULL,
    disabled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One family of tokens for each device; hashes alone. A generation is a pair of tokens.
CREATE TABLE device_token (
    device BLOB PRIMARY KEY NOT NULL REFERENCES device (id),
    family INTEGER NOT NULL,
    -- 0: the family begins with the device's next request
    generation INTEGER NOT NULL,
    -- when the family began, and when its last generation was made
    began_at INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    -- of the request that asked for the last generation
    nonce BLOB NOT NULL,
    -- whether the last generation was used: then nobody can have missed it
    is_used INTEGER NOT NULL,
    access_hash BLOB NOT NULL UNIQUE,
    access_expires_at INTEGER NOT NULL,
    -- the one before, which is good until its own end
    previous_hash BLOB NOT NULL,
    previous_expires_at INTEGER NOT NULL,
    refresh_hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX device_token_by_previous ON device_token (previous_hash);

-- Devices that showed a good code and wait for the office.
CREATE TABLE enrolment_request (
    -- the id that the device will have
    device BLOB PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    public_key BLOB NOT NULL,
    code_hash BLOB NOT NULL UNIQUE,
    asked_at INTEGER NOT NULL,
    -- 0: not declined
    declined_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- whether whoever has the code needs nobody's approval
ALTER TABLE enrolment_code ADD COLUMN approves INTEGER NOT NULL DEFAULT 1;
-- how often it was shown by somebody who could not prove to have the key
ALTER TABLE enrolment_code ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;

-- What waits for review of devices that may not write any more: counted with each request.
CREATE INDEX review_ended ON review (device) WHERE reason = 'ended' AND state = 'open';
