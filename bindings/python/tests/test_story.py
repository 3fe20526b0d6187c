"""What happened with a record, what belongs to it, and how it is taken back."""

import datetime

import outrider as crm
from world import Scenario


class Story(Scenario):
    def test_timeline_links_history_undo(self) -> None:
        mine, other = self.device("Anna"), self.peer("Ben")
        customer = self.customer(mine, "三川实业", phone="+86 512 1")
        opportunity = mine.create(
            crm.changes("opportunity", name="Line 3", customer_id=customer, sales_stage="proposal")
        )
        mine.update(opportunity, crm.changes("opportunity", sales_stage="negotiation"))
        now = datetime.datetime.now(datetime.UTC)
        call = mine.create(
            crm.changes(
                "interaction",
                subject="电话",
                customer_id=customer,
                channel="call",
                occurred_at=now,
                summary="报价已收到",
            )
        )
        mine.sync()
        other.sync()
        other.edit(customer, phone="+86 512 2")
        other.sync()
        mine.sync()

        page = mine.timeline(crm.TimelineQuery(record=customer))
        self.assertEqual({entry.record for entry in page.entries} & {opportunity, call}, {opportunity, call})
        stages = mine.timeline(crm.TimelineQuery(record=customer, kinds=["opportunity.stages"])).entries
        self.assertEqual([entry.title for entry in stages], ["Line 3"] * len(stages))
        self.assertGreaterEqual(len(stages), 2)
        self.assertTrue(all(entry.by_name == "Anna" for entry in stages))
        first = mine.timeline(crm.TimelineQuery(record=customer, limit=1))
        second = mine.timeline(crm.TimelineQuery(record=customer, limit=1, after=first.next))
        self.assertNotEqual(first.entries, second.entries)
        self.assertEqual(
            mine.timeline(crm.TimelineQuery(record=customer, since=now + datetime.timedelta(days=1))).entries, []
        )
        self.refused(crm.CrmError.Invalid, mine.timeline, crm.TimelineQuery(record=customer, kinds=["weather"]))

        links = mine.links(customer)
        self.assertEqual({link.record for link in links.incoming}, {opportunity, call})
        (link,) = [link for link in mine.links(opportunity).outgoing if link.field == "customer_id"]
        self.assertEqual((link.record, link.entity, link.title), (customer, "customer", "三川实业"))
        self.refused(crm.CrmError.NotFound, mine.links, mine.draw_id())

        (current,) = [
            entry for entry in mine.history(customer, "phone") if entry.new == crm.FieldValue.TEXT("+86 512 2")
        ]
        self.assertEqual(
            (current.by, current.is_own, current.what, current.label), ("Ben", False, "changed", "Phone number")
        )
        own = [entry for entry in mine.history(opportunity, "sales_stage") if entry.is_own]
        self.assertEqual(own[0].new, crm.FieldValue.TEXT("negotiation"))
        self.assertTrue(own[0].is_sent)

    def test_timeline_links_history_undo_takes_back(self) -> None:
        device = self.open()
        customer = self.customer(device, "三川实业", phone="+86 512 1", tags=["a"])
        device.update(customer, crm.changes("customer", phone="+86 512 2", tags=["b"]))
        tap = device.undoable()[0]
        self.assertEqual((tap.is_sent, tap.is_undone), (False, False))
        phone = next(item for item in tap.items if item.key == "phone")
        self.assertEqual(
            (phone.label, phone.old, phone.new),
            ("Phone number", crm.FieldValue.TEXT("+86 512 1"), crm.FieldValue.TEXT("+86 512 2")),
        )
        undone = device.undo(tap.number)
        self.assertEqual(undone.skipped, [])
        found = device.get(customer).record
        self.assertEqual((found.phone, found.common.tags), ("+86 512 1", ["a"]))

        device.undo(device.undoable()[0].number)
        self.assertEqual(device.get(customer).record.phone, "+86 512 2", "undoing an undo does it again")
        tap = device.undoable()[0].number
        device.update(customer, crm.changes("customer", phone="+86 512 3"))
        self.assertEqual(device.undo(tap).skipped, ["phone"], "somebody wrote since")
        self.assertEqual(device.get(customer).record.phone, "+86 512 3")
        self.refused(crm.CrmError.NotFound, device.undo, 12345)

    def test_merge_and_duplicates(self) -> None:
        device = self.open()
        first = self.customer(device, "三川精密实业有限公司", phone="+86 512 6283 7719", tags=["old"])
        second = self.customer(
            device, "三川精密实业", phone="+86 512 6283 7719", email="info@sanchuan.example", tags=["new"]
        )
        far = self.customer(device, "四海贸易", phone="+86 10 5555")
        typed = crm.changes("customer", company_name="三川精密实业公司", phone="0512-62837719")
        likely = device.find_duplicates(typed)
        self.assertEqual({one.record for one in likely}, {first, second})
        self.assertGreaterEqual(likely[0].score, likely[-1].score)
        self.assertTrue(likely[0].title)
        self.assertIn(likely[0].is_sure, (True, False))
        self.assertEqual([one.record for one in device.find_duplicates(typed, first)], [second])

        contact = device.create(crm.changes("contact", name=crm.PersonName(full="李雷"), customer_id=second))
        device.merge(second, first, ["email"])
        found = device.get(first).record
        self.assertEqual((found.email, sorted(found.common.tags)), ("info@sanchuan.example", ["new", "old"]))
        self.assertEqual(device.get(second).record.common.redirect_to, first)
        self.assertIn(contact, [link.record for link in device.links(first).incoming])
        unmerged = device.unmerge(second)
        self.assertEqual(unmerged.survivor, first)
        self.assertIn("email", unmerged.given_back)
        self.assertIsNone(device.get(first).record.email)
        self.refused(crm.CrmError.Invalid, device.unmerge, second)
        self.refused(crm.CrmError.Invalid, device.merge, first, first)
        self.refused(crm.CrmError.NotFound, device.merge, device.draw_id(), first)

        self.assertTrue(device.tell_apart(first, second))
        self.assertFalse(device.tell_apart(second, first))
        self.assertNotIn(second, [one.record for one in device.find_duplicates(typed, first)])
        self.refused(crm.CrmError.Invalid, device.tell_apart, far, contact)
