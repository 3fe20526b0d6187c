"""How a device comes to its office, and what it gets there first."""

import socket

import outrider as crm
from world import Scenario, ask


class Enrolment(Scenario):
    def test_enrol_and_first_sync(self) -> None:
        ask("/fill", office=self.office, customers=1200)
        device = self.open("anna")
        self.assertIsNone(device.enrolment())
        self.refused(crm.CrmError.NotEnrolled, device.sync)
        mine = self.customer(device, "山海机械 before any office")

        enrolment = device.enrol(self.code("Anna"))
        self.assertTrue(enrolment.is_active)
        self.assertEqual((enrolment.user, enrolment.url), ("Anna", self.url))
        self.assertEqual(device.enrolment(), device.check_enrolment())
        self.refused(crm.CrmError.Refused, device.enrol, self.code("Anna"))

        told: list[crm.SyncProgress] = []
        report = device.sync(told.append)
        self.assertEqual((report.end, report.waiting, report.refused), (crm.SyncEnd.COMPLETE, 0, 0))
        self.assertGreaterEqual(report.applied, 1)
        self.assertEqual(device.count(crm.ListQuery(entity="customer")), 1201)
        self.assertTrue(told, "progress is told")
        self.assertTrue(all(one.received <= one.expected for one in told if one.expected))
        state = device.sync_state()
        self.assertEqual((state.is_running, state.last_end, state.waiting), (False, crm.SyncEnd.COMPLETE, 0))
        self.assertIsNotNone(state.last_sync)

        other = self.device("Ben")
        other.sync()
        self.assertEqual(other.get(mine).record.company_name, "山海机械 before any office")

    def test_enrol_and_first_sync_wrong_code(self) -> None:
        device = self.open("anna")
        wrong = crm.EnrolCode(url=self.url, code="AAAAA-BBBBB-CCCCC-DDDDD-EEEEEE", device_name="test")
        error = self.refused(crm.CrmError.Refused, device.enrol, wrong)
        self.assertNotIn("AAAAA", str(error), "what was typed is not told again")
        self.assertIsNone(device.enrolment())
        code = self.code("Anna")
        device.enrol(code)
        self.refused(crm.CrmError.Refused, self.open("again").enrol, code)

    def test_enrol_and_first_sync_nobody_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        device = self.open("anna")
        nobody = crm.EnrolCode(url=f"http://127.0.0.1:{port}", code="AAAAA-BBBBB", device_name="test")
        self.refused(crm.CrmError.Offline, device.enrol, nobody)
        for url in ("gopher://office.example", "http://office.example", "no address"):
            code = crm.EnrolCode(url=url, code="AAAAA-BBBBB", device_name="test")
            self.refused((crm.CrmError.Invalid, crm.CrmError.Untrusted), device.enrol, code)

    def test_enrol_and_first_sync_with_approval(self) -> None:
        device = self.open("cora", crm.Language.CHINESE)
        enrolment = device.enrol(self.code("Cora", approve="yes"))
        self.assertFalse(enrolment.is_active)
        error = self.refused(crm.CrmError.WaitsForApproval, device.sync)
        self.assertEqual(error.fingerprint, enrolment.fingerprint)
        self.assertIn("指纹", str(error))
        self.assertFalse(device.check_enrolment().is_active)
        ask("/approve", office=self.office, user="Cora")
        self.assertTrue(device.check_enrolment().is_active)
        self.assertEqual(device.sync().end, crm.SyncEnd.COMPLETE)
