"""The key of the records, and who holds it."""

import os

import outrider as crm
from listeners import Mirror
from world import Scenario, Secrets, ask, until


class Keys(Scenario):
    def test_wrong_key(self) -> None:
        secrets = Secrets()
        device = self.open("records", secrets=secrets)
        record = self.customer(device, "三川实业")
        device.close()
        words = "三川实业".encode()
        for name in os.listdir(self.path("records")):
            with open(self.path(os.path.join("records", name)), "rb") as file:
                self.assertNotIn(words, file.read(), "on the disk nothing can be read")
        before = {
            name: os.path.getsize(self.path(os.path.join("records", name))) for name in os.listdir(self.path("records"))
        }

        for wrong in (Secrets(os.urandom(32)), Secrets(), Secrets(b"short")):
            kept = wrong.secret
            error = self.refused(
                (crm.CrmError.WrongKey, crm.CrmError.KeyUnavailable), self.open, "records", secrets=wrong
            )
            if kept != b"short":
                self.assertIsInstance(error, crm.CrmError.WrongKey)
            self.assertEqual(wrong.secret, kept, "no key is made for records that have another")
        locked = Secrets(secrets.secret)
        locked.is_locked = True
        self.refused(crm.CrmError.KeyUnavailable, self.open, "records", secrets=locked)
        after = {
            name: os.path.getsize(self.path(os.path.join("records", name))) for name in os.listdir(self.path("records"))
        }
        self.assertEqual(after, before)

        locked.is_locked = False
        self.assertEqual(self.open("records", secrets=locked).get(record).record.company_name, "三川实业")

    def test_lock_and_wipe(self) -> None:
        secrets = Secrets()
        device = self.open("records", secrets=secrets)
        record = self.customer(device, "三川实业")
        mirror = Mirror()
        live = mirror.begin(device.watch(crm.ListQuery(entity="customer"), mirror))
        with device.watching("customer") as watching:
            self.assertEqual(len(next(watching)), 1)
            device.lock()
            self.assertEqual(list(watching), [], "the list ends")
        until(lambda: mirror.errors, "who listens is told")
        self.assertIsInstance(mirror.errors[-1], crm.CrmError.Closed)
        live.end()
        self.assertTrue(device.is_locked())
        customers = crm.ListQuery(entity="customer")
        for call in (
            lambda: device.get(record),
            lambda: device.list(customers),
            lambda: device.count(customers),
            device.sync,
            device.status,
            lambda: self.customer(device, "x"),
            lambda: device.update(record, crm.changes("customer", phone="1")),
            device.storage,
            device.diagnose,
            device.outbox,
            device.inbox,
            device.conflicts,
            device.entities,
            device.enrolment,
            device.draw_id,
            device.sync_state,
            lambda: device.watch(customers, Mirror()),
        ):
            self.refused(crm.CrmError.Closed, call)

        secrets.is_locked = True
        self.refused(crm.CrmError.KeyUnavailable, device.unlock)
        secrets.is_locked = False
        device.unlock()
        device.unlock()
        self.assertEqual(device.get(record).record.company_name, "三川实业")
        mirror = Mirror()
        live = mirror.begin(device.watch(customers, mirror))
        self.customer(device, "四海贸易")
        until(lambda: len(mirror.records) == 2, "lists go on")
        live.end()

        device.wipe()
        self.assertIsNone(secrets.secret)
        self.refused(crm.CrmError.Closed, device.list, customers)
        self.assertFalse(os.path.exists(self.path("records/outrider.db")))
        self.assertEqual(self.open("records", secrets=secrets).count(customers), 0)

    def test_lock_and_wipe_by_the_office(self) -> None:
        secrets = Secrets()
        device = self.device("Anna", secrets=secrets)
        record = self.customer(device, "三川实业")
        ask("/wipe", office=self.office, user="Anna")
        mirror = Mirror()
        live = mirror.begin(device.watch(crm.ListQuery(entity="customer"), mirror))
        self.refused(crm.CrmError.Wiped, device.sync)
        until(lambda: mirror.errors, "who listens is told")
        live.end()
        self.assertTrue(device.is_locked())
        self.assertIsNone(secrets.secret)
        self.assertFalse(os.path.exists(self.path("Anna/outrider.db")))
        other = self.device("Ben")
        other.sync()
        self.assertEqual(other.get(record).record.company_name, "三川实业", "what waited was sent before")
