"""What the office does not let somebody do."""

import outrider as crm
from world import Scenario, ask


class Inbox(Scenario):
    def test_refusal_and_inbox(self) -> None:
        mine = self.device("Anna", language=crm.Language.CHINESE)
        record = self.customer(mine, "三川实业")
        ask("/role", office=self.office, user="Anna", role="sales_rep")
        mine.sync()
        ask("/rules", office=self.office)
        mine.sync()
        self.assertTrue(mine.may(crm.Operation.EDIT, record))
        product = crm.changes("product", name="水泵 DN50")
        error = self.refused(crm.CrmError.NotPermitted, mine.create, product)
        self.assertRegex(str(error), "[一-鿿]")
        (made,) = mine.write([crm.Edit.CREATE(fields=product, record=None)], anyway=True)
        (waiting,) = mine.outbox()
        self.assertEqual((waiting.entity, waiting.record), ("product", made))

        report = mine.sync()
        self.assertEqual((report.refused, report.waiting), (1, 0))
        (refusal,) = mine.inbox()
        self.assertEqual((refusal.entity, refusal.record), ("product", made))
        self.assertEqual(refusal.values["name"], crm.FieldValue.TEXT("水泵 DN50"))
        self.assertRegex(refusal.reason, "[一-鿿]")
        self.assertIsNone(refusal.proposal)
        self.assertLessEqual(refusal.made_at, refusal.refused_at)
        self.assertEqual(mine.status().refusals, 1)
        self.assertIsNone(mine.get(made), "what was refused is taken back here")

        proposal = mine.ask_approval(refusal.number, "客户急需")
        self.assertEqual(mine.inbox()[0].proposal, proposal)
        self.assertEqual(mine.sync().refused, 0, "asking is allowed")
        self.assertEqual(mine.get(proposal).record.id, proposal)
        self.assertTrue(mine.dismiss(refusal.number))
        self.assertFalse(mine.dismiss(refusal.number))
        self.assertEqual(mine.inbox(), [])
        self.refused(crm.CrmError.NotFound, mine.ask_approval, refusal.number, "again")
