"""Taps of a day: a technician at a customer's, a sales person with a lead."""

import datetime
import decimal

import outrider as crm
from world import Scenario


class VanPosition(crm.PositionSource):
    """Where the van is; a test moves it."""

    def __init__(self) -> None:
        self.place: crm.GeoPoint | None = crm.GeoPoint(latitude=31.2304, longitude=121.4737, accuracy_m=8, source="gps")

    def position(self) -> "crm.GeoPoint | None":
        return self.place


class Work(Scenario):
    def test_visit_day(self) -> None:
        van = VanPosition()
        device = self.device("Li", position=van)
        device.sync()
        me = device.enrolment().user_record
        site = crm.GeoPoint(latitude=31.2305, longitude=121.4738)
        customer = self.customer(device, "浦东水厂", geo=site)
        part = device.create(crm.changes("product", name="密封圈 Seal 40 mm", unit="pc", sku="SE-40"))
        stock = device.create(crm.changes("stock_location", name="Van 沪A", location_kind="van", user_id=me))
        visit = device.create(
            crm.changes(
                "visit",
                subject="Pump 3 泵检修",
                customer_id=customer,
                status="scheduled",
                owner_id=me,
                checklist=[{"name": "Power off 断电", "required": True}, {"name": "Photo 拍照", "required": False}],
            )
        )

        arrived = device.check_in(visit, crm.VisitEvent.CHECK_IN, crm.VisitNote(note="到达"))
        check = device.get(arrived).record
        self.assertEqual((check.visit_id, check.event), (visit, "in"))
        self.assertEqual((check.geo.latitude, check.geo.longitude), (31.2304, 121.4737))
        self.assertEqual(device.get(visit).record.status, "in_progress")
        device.check_in(visit, crm.VisitEvent.PAUSE, crm.VisitNote())
        device.check_in(visit, crm.VisitEvent.RESUME, crm.VisitNote())

        error = self.refused(
            crm.CrmError.Invalid, device.check_in, visit, crm.VisitEvent.CHECK_OUT, crm.VisitNote(outcome="done")
        )
        self.assertEqual(error.code, "checklist_left")
        row = next(row for row in device.get(visit).record.checklist if row.required)
        done = [
            crm.VisitChecklistChange.DONE(True),
            crm.VisitChecklistChange.DONE_AT(datetime.datetime.now(datetime.UTC)),
        ]
        edit = crm.VisitChecklistEdit(edit=[crm.VisitChecklistRowEdit(row=row.row, changes=done)])
        device.update(visit, crm.changes("visit", checklist=edit))

        self.refused(
            crm.CrmError.Invalid, device.use_part, visit, crm.PartUsed(product=part, quantity=decimal.Decimal(0))
        )
        move = device.use_part(visit, crm.PartUsed(product=part, quantity=decimal.Decimal("2"), serial_no="S-1"))
        self.assertEqual(device.get(move).record.product_id, part)
        (used,) = device.get(visit).record.parts
        self.assertEqual((used.product_id, used.qty, used.serial_no, used.location_id), (part, 2, "S-1", stock))

        van.place = None
        self.assertTrue(device.get(visit).record.computed)
        left = device.check_in(
            visit, crm.VisitEvent.CHECK_OUT, crm.VisitNote(position=site, outcome="done", note="完成")
        )
        self.assertEqual(device.get(left).record.event, "out")
        found = device.get(visit).record
        self.assertEqual((found.status, found.outcome), ("completed", "done"))
        self.assertEqual(found.computed["checklist_left"], crm.FieldValue.INTEGER(0))
        self.refused(crm.CrmError.NotFound, device.check_in, device.draw_id(), crm.VisitEvent.CHECK_IN, crm.VisitNote())
        self.assertEqual(device.sync().refused, 0)

    def test_lead_and_activity(self) -> None:
        device = self.device("Wang")
        lead = device.create(
            crm.changes(
                "lead",
                name="三川实业",
                company_name="三川实业有限公司",
                contact_name=crm.PersonName(full="王小明"),
                status="new",
                phone="+86 512 6283 7719",
                expected_amount=crm.Money(amount=decimal.Decimal("80000"), currency="CNY"),
            )
        )
        made = device.convert_lead(lead)
        self.assertEqual(device.convert_lead(lead), made, "twice is once")
        self.assertEqual(device.get(made.customer).record.company_name, "三川实业有限公司")
        self.assertEqual(device.get(made.contact).record.name.full, "王小明")
        opportunity = device.get(made.opportunity).record
        self.assertEqual((opportunity.customer_id, opportunity.expected_amount.amount), (made.customer, 80000))
        self.assertEqual(device.get(lead).record.converted_customer_id, made.customer)
        self.refused(crm.CrmError.Invalid, device.convert_lead, made.customer)

        activity = device.create(
            crm.changes(
                "activity", subject="Call 回访", activity_type="call", status="planned", customer_id=made.customer
            )
        )
        held = device.complete_activity(activity, None, "客户要样品")
        self.assertEqual(device.complete_activity(activity), held)
        self.assertEqual(device.get(held).record.customer_id, made.customer)
        self.assertEqual(device.get(activity).record.status, "held")
        self.assertEqual(device.count(crm.ListQuery(entity="interaction")), 1)
        alone = device.create(crm.changes("activity", subject="Buy paper", activity_type="task"))
        self.assertIsNone(device.complete_activity(alone))
        self.refused(crm.CrmError.NotFound, device.complete_activity, device.draw_id())
        self.assertEqual(device.sync().refused, 0)
