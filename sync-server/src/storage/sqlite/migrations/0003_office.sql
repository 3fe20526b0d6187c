-- The office writes too: each of its users through a row that stands for them among the devices.

ALTER TABLE device ADD COLUMN is_office INTEGER NOT NULL DEFAULT 0;
-- when the device was last heard of, to the minute; the enrolment until then
ALTER TABLE device ADD COLUMN last_contact_at INTEGER NOT NULL DEFAULT 0;
-- accepted changes, counted with each commit
ALTER TABLE device ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
UPDATE device SET changes = c.count
FROM (SELECT device, count(*) AS count FROM change GROUP BY device) AS c
WHERE c.device = device.id;
UPDATE device SET last_contact_at = enrolled_at;

CREATE UNIQUE INDEX device_of_office ON device (user) WHERE is_office = 1;
