"""Disks that are full, servers that are killed, and two that share a folder."""

import os
import threading

import outrider as crm
from world import Scenario, Secrets, ask

CUSTOMERS = crm.ListQuery(entity="customer")


class Disk(Scenario):
    def fill(self, disk: str) -> str:
        """Fills a disk; gives the file that does."""
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return ballast

    def test_full_disk(self) -> None:
        disk = ask("/disk", bytes=16_000_000)["path"]
        device = self.open(os.path.join(disk, "records"))
        kept = {self.customer(device, f"kept {number} 保留"): f"kept {number} 保留" for number in range(20)}
        ballast = self.fill(disk)
        error = None
        for number in range(2000):
            try:
                name = f"late {number} " + "长" * 150
                kept[self.customer(device, name)] = name
            except crm.CrmError.StorageFull as full:
                error = full
                break
        self.assertIsInstance(error, crm.CrmError.StorageFull)
        self.assertRegex(str(error), "disk is full")
        record, name = next(iter(kept.items()))
        self.refused(
            crm.CrmError.StorageFull,
            lambda: [
                device.update(record, crm.changes("customer", short_name=f"{number} " + "长" * 90))
                for number in range(2000)
            ],
        )
        self.assertEqual(device.get(record).record.company_name, name, "reading goes on")

        os.remove(ballast)
        with_room = self.customer(device, "with room again")
        self.assertEqual({record: device.get(record).record.company_name for record in kept}, kept)
        device.close()
        device.unlock()
        self.assertEqual(device.count(CUSTOMERS), len(kept) + 1)
        self.assertEqual(device.get(with_room).record.company_name, "with room again")
        problems = {finding.code for finding in device.diagnose() if finding.is_problem}
        self.assertLessEqual(problems, {"disk_space"}, "a disk of this size is always nearly full")

    def test_full_disk_while_all_is_copied(self) -> None:
        disk = ask("/disk", bytes=16_000_000)["path"]
        device = self.open()
        record = self.customer(device, "三川实业")
        ballast, copy = self.fill(disk), os.path.join(disk, "copy")
        self.refused(crm.CrmError.StorageFull, device.export_store, copy, True)
        table = os.path.join(disk, "all.csv")
        self.refused(crm.CrmError.StorageFull, device.export_file, table, crm.FileFormat.CSV, CUSTOMERS)
        for file in (copy, table):
            self.assertFalse(os.path.exists(file), "a file is there whole or not at all")
        os.remove(ballast)
        device.export_store(copy, True)
        self.assertTrue(os.path.exists(copy))
        self.assertEqual(device.get(record).record.company_name, "三川实业")

    def test_restart(self) -> None:
        secrets = Secrets()
        device = self.device("Anna", secrets=secrets)
        device.sync()
        ask("/kill", office=self.office)
        record = self.customer(device, "三川实业", phone="+86 512 1")
        self.refused(crm.CrmError.Offline, device.sync)
        device.update(record, crm.changes("customer", phone="+86 512 2"))
        waiting = device.outbox()
        self.assertGreaterEqual(len(waiting), 2)
        device.close()
        del device

        again = self.open("Anna", secrets=secrets)
        self.assertEqual((again.enrolment().user, again.outbox()), ("Anna", waiting))
        self.assertEqual(again.get(record).record.phone, "+86 512 2")
        ask("/start", office=self.office)
        self.assertEqual(again.sync().waiting, 0)
        other = self.peer("Ben", "python")
        other.sync()
        self.assertEqual(other.get(record)["phone"], "+86 512 2")

    def test_app_and_extension(self) -> None:
        secrets = Secrets()
        app, extension = self.open("records", secrets=secrets), self.open("records", secrets=secrets)
        mine = self.customer(app, "三川实业")
        self.assertEqual(extension.get(mine).record.company_name, "三川实业")
        extension.update(mine, crm.changes("customer", phone="+86 512 2"))
        self.assertEqual(app.get(mine).record.phone, "+86 512 2")
        failed: list[BaseException] = []

        def write(device: crm.Crm, name: str) -> None:
            try:
                for number in range(100):
                    self.customer(device, f"{name} {number}")
            except BaseException as error:
                failed.append(error)

        threads = [
            threading.Thread(target=write, args=(device, name))
            for device, name in ((app, "app"), (extension, "extension"), (app, "again"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual((app.count(CUSTOMERS), extension.count(CUSTOMERS)), (301, 301))
        app.lock()
        self.assertEqual(extension.count(CUSTOMERS), 301, "one that is locked does not lock the other")
