"""This device and one of another language edit the same records."""

import outrider as crm
from world import Peer, Scenario, until


class TwoDevices(Scenario):
    def both(self) -> "tuple[crm.Crm, Peer, crm.RecordId]":
        """Two devices that know a customer."""
        mine, other = self.device("Anna"), self.peer("Ben")
        record = self.customer(mine, "三川实业", phone="+86 512 1111")
        mine.sync()
        other.sync()
        return mine, other, record

    def test_offline_edits_on_two_devices(self) -> None:
        mine, other, record = self.both()
        mine.update(record, crm.changes("customer", phone="+86 512 2222", tags=["mine"]))
        other.edit(record, short_name="三川", **{"tags+": "theirs", "visits+": "2"})
        mine.update(record, crm.changes("customer", visits=3))
        made = other.create("contact", name='{"full": "李雷"}', customer_id=str(record))
        for _ in range(2):
            other.sync()
            mine.sync()
        customer, seen = mine.get(record).record, other.get(record)
        self.assertEqual((customer.phone, customer.short_name, customer.visits), ("+86 512 2222", "三川", 5))
        self.assertEqual(sorted(customer.common.tags), ["mine", "theirs"])
        self.assertEqual((seen["phone"], seen["short_name"], seen["visits"]), ("+86 512 2222", "三川", "5"))
        self.assertEqual(mine.get(made).record.name.full, "李雷")
        self.assertEqual(mine.conflicts(), [])

    def test_conflict_and_settling(self) -> None:
        mine, other, record = self.both()
        mine.update(record, crm.changes("customer", company_name="三川实业（上海）"))
        other.edit(record, company_name="三川实业（苏州）")
        other.sync()
        mine.sync()
        (conflict,) = mine.conflicts(record)
        self.assertEqual((conflict.key, conflict.label, conflict.entity), ("company_name", "Company name", "customer"))
        said = {value.text: value for value in conflict.values}
        self.assertEqual(set(said), {"三川实业（上海）", "三川实业（苏州）"})
        self.assertEqual([value.is_shown for value in conflict.values].count(True), 1)
        self.assertEqual((said["三川实业（苏州）"].by, said["三川实业（上海）"].by), ("Ben", "Anna"))
        self.assertTrue(all(value.at is not None for value in conflict.values))
        self.assertEqual(mine.get(record).record.common.conflicts, ["company_name"])
        self.assertEqual(mine.status().conflicts, 1)

        mine.settle(record, conflict.key, said["三川实业（苏州）"].value)
        self.assertEqual(mine.conflicts(), [])
        self.assertEqual(mine.get(record).record.company_name, "三川实业（苏州）")
        self.refused(crm.CrmError.NotFound, mine.settle, record, conflict.key, said["三川实业（上海）"].value)
        mine.sync()
        other.sync()
        self.assertEqual(other.get(record)["company_name"], "三川实业（苏州）")

    def test_long_text(self) -> None:
        mine, other, record = self.both()
        mine.edit_text(record, "notes", crm.TextEdit.BECOMES("周一：电话\n"))
        mine.sync()
        other.sync()
        seen = mine.text(record, "notes")
        other.note(record, "Tuesday: visited")
        other.sync()
        mine.sync()
        # The person still looks at the text of before, and types into its middle.
        self.assertTrue(
            mine.edit_text(
                record, "notes", crm.TextEdit.SPLICES([crm.Splice(at=5, delete=0, insert="，已确认")]), seen.heads
            )
        )
        text = mine.text(record, "notes").text
        self.assertIn("周一：电话，已确认", text)
        self.assertIn("Tuesday: visited", text)
        self.assertTrue(mine.edit_text(record, "notes", crm.TextEdit.APPEND("周三：报价")))
        self.assertFalse(mine.edit_text(record, "notes", crm.TextEdit.BECOMES(mine.text(record, "notes").text)))
        other.note(record, "Thursday: waiting")
        for _ in range(2):
            mine.sync()
            other.sync()
        until(lambda: mine.text(record, "notes").text == other.get(record)["notes"], "both have the same text")
        for part in ("周一：电话，已确认", "Tuesday: visited", "周三：报价", "Thursday: waiting"):
            self.assertIn(part, mine.text(record, "notes").text)
        self.refused(crm.CrmError.Invalid, mine.text, record, "phone")
        self.refused(crm.CrmError.Invalid, mine.edit_text, record, "notes", crm.TextEdit.APPEND("x"), ["no version"])
        self.refused(crm.CrmError.NotFound, mine.text, mine.draw_id(), "notes")
