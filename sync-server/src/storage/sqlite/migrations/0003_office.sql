-- The office writes too: each of its users through a row that stands for them among the devices.

ALTER TABLE device ADD COLUMN is_office INTEGER NOT NULL DEFAULT 0;
-- when the device was last heard of, to the minute; the enrolment until then
ALTER TABLE device ADD COLUMN last_contact_at INTEGER NOT NULL DEFAULT 0;
UPDATE device SET last_contact_at = enrolled_at;

CREATE UNIQUE INDEX device_of_office ON device (user) WHERE is_office = 1;
