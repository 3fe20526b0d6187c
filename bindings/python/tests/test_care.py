"""Where a device stands, and what support gets to see."""

import os
import zipfile

import outrider as crm
from world import Scenario

SECRETS = ("三川实业", "sanchuan.example", "62837719", "王小明", "Geheimnis", "vip-tag")


class Care(Scenario):
    def test_diagnosis(self) -> None:
        device = self.device("Anna", language=crm.Language.CHINESE)
        customer = self.customer(
            device,
            "三川实业",
            phone="+86 512 62837719",
            email="info@sanchuan.example",
            notes="Geheimnis",
            tags=["vip-tag"],
        )
        device.create(crm.changes("contact", name=crm.PersonName(full="王小明"), customer_id=customer))
        status = device.status()
        self.assertEqual(
            (status.user, status.server, status.conflicts, status.refusals, status.damaged), ("Anna", self.url, 0, 0, 0)
        )
        self.assertIsNone(status.last_sync)
        self.assertGreaterEqual(status.waiting, 2)
        self.assertEqual(
            {count.entity: count.count for count in status.records if count.count}, {"customer": 1, "contact": 1}
        )
        device.sync()
        self.assertEqual(device.status().waiting, 0)
        self.assertIsNotNone(device.status().last_sync)
        self.assertEqual(device.sync_state().last_sync, device.status().last_sync)

        storage = device.storage()
        self.assertGreater(storage.database_bytes, 0)
        self.assertGreaterEqual(storage.file_bytes, 0)
        self.assertLess(storage.free_bytes, storage.database_bytes)
        self.assertTrue(device.may(crm.Operation.EDIT, customer))
        for finding in device.diagnose():
            self.assertFalse(finding.is_problem, finding)
            self.assertRegex(finding.sentence, "[一-鿿]")
        os.chmod(self.path("Anna/device.key"), 0o644)
        (finding,) = [finding for finding in device.diagnose() if finding.is_problem]
        self.assertTrue(finding.code and finding.count)
        self.assertGreaterEqual(device.repair(finding.fix), 1)
        self.assertFalse([finding for finding in device.diagnose() if finding.is_problem])
        self.assertEqual(device.repair("rows"), 0, "nothing was wrong")
        self.refused(crm.CrmError.Invalid, device.repair, "magic")
        self.assertEqual(device.get(customer).record.company_name, "三川实业")

    def test_diagnosis_bundle(self) -> None:
        device = self.open()
        customer = self.customer(
            device,
            "三川实业",
            phone="+86 512 62837719",
            email="info@sanchuan.example",
            notes="Geheimnis",
            tags=["vip-tag"],
        )
        device.create(crm.changes("contact", name=crm.PersonName(full="王小明"), customer_id=customer))
        file = self.path("support.zip")
        bundle = device.write_support_bundle(file, "opened 三川实业 for 王小明\n")
        self.assertIn("log.txt", bundle.parts)
        self.assertEqual(bundle.left_out, 0)
        self.assertGreater(os.path.getsize(file), 0)
        with open(file, "rb") as opened:
            texts = [opened.read()]
        with zipfile.ZipFile(file) as parts:
            texts += [parts.read(name) for name in parts.namelist()]
        for secret in SECRETS:
            for text in texts:
                self.assertNotIn(secret.encode(), text, secret)
        self.assertGreater(len(texts), len(bundle.parts))
        self.refused(crm.CrmError.Refused, device.write_support_bundle, file)
