"""What is written is read back as it was, and only what is named changes."""

import datetime
import decimal

import outrider as crm
from world import Scenario

UTC = datetime.timezone.utc


class Records(Scenario):
    def test_typed_records(self) -> None:
        device = self.open()
        money = crm.Money(amount=decimal.Decimal("1250000.50"), currency="CNY")
        address = crm.Address(country="CN", province="浙江省", city="杭州市", district="西湖区", street="文三路 90 号", postcode="310012")
        position = crm.GeoPoint(latitude=30.2741, longitude=120.1551, accuracy_m=12, source="gps")
        moment = datetime.datetime(2026, 3, 1, 9, 30, 15, 250000, UTC)
        made = device.create(crm.CrmChanges.CUSTOMER([
            crm.CustomerChange.COMPANY_NAME("西湖精密仪器有限公司"), crm.CustomerChange.CUSTOMER_KIND("company"),
            crm.CustomerChange.CREDIT_LIMIT(money), crm.CustomerChange.POTENTIAL(decimal.Decimal("0.7500")),
            crm.CustomerChange.EMPLOYEES(320), crm.CustomerChange.NEXT_CONTACT_AT(moment),
            crm.CustomerChange.ADDRESS(address), crm.CustomerChange.GEO(position), crm.CustomerChange.VISITS(3),
            crm.CustomerChange.NOTES("第一行\nSecond line\n"),
            crm.CustomerChange.PHONES(crm.CustomerPhonesEdit(add=[[
                crm.CustomerPhonesChange.NUMBER("+86 571 8888 0001"), crm.CustomerPhonesChange.IS_PRIMARY(True),
            ]])),
            crm.CustomerChange.COMMON(crm.CommonChange.TAGS(crm.TextSetEdit(add=["重点", "export"]))),
            crm.CustomerChange.COMMON(crm.CommonChange.CUSTOM("loyalty", crm.FieldValue.INTEGER(7))),
        ]))
        customer = device.get(made).record
        self.assertEqual(customer.id, made)
        self.assertEqual(customer.company_name, "西湖精密仪器有限公司")
        self.assertEqual((customer.customer_kind, customer.employees, customer.visits), ("company", 320, 3))
        self.assertEqual((customer.credit_limit, customer.potential), (money, decimal.Decimal("0.75")))
        self.assertEqual((customer.next_contact_at, customer.address), (moment, address))
        self.assertEqual(customer.geo, position)
        self.assertEqual(sorted(customer.common.tags), ["export", "重点"])
        self.assertEqual(customer.common.custom["loyalty"], crm.FieldValue.INTEGER(7))
        (phone,) = customer.phones
        self.assertEqual((phone.number, phone.is_primary, phone.label), ("+86 571 8888 0001", True, None))
        self.assertEqual(device.text(made, "notes").text, "第一行\nSecond line\n")

    def test_typed_records_of_other_entities(self) -> None:
        device = self.open()
        customer = self.customer(device, "Acme")
        name = crm.PersonName(family="王", given="小明", full="王小明", salutation="先生")
        contact = device.create(crm.changes("contact", name=name, customer_id=customer))
        self.assertEqual(device.get(contact).record.name, name)
        self.assertEqual(device.get(contact).record.customer_id, customer)

        term = crm.Period(start=datetime.date(2026, 1, 1), end=datetime.date(2027, 12, 31))
        contract = device.create(crm.changes("contract", name="年度维保", customer_id=customer, term=term, status="draft"))
        self.assertEqual(device.get(contract).record.term, term)
        self.assertEqual(device.get(contract).record.status, "draft")

        span = crm.TimeSpan(
            start=datetime.datetime(2026, 5, 4, 1, 0, tzinfo=UTC), end=datetime.datetime(2026, 5, 4, 3, 30, tzinfo=UTC),
            time_zone="Asia/Shanghai",
        )
        activity = device.create(crm.changes(
            "activity", subject="拜访", activity_type="meeting", activity_date=span, participants=[contact],
        ))
        self.assertEqual(device.get(activity).record.activity_date, span)
        self.assertEqual(device.get(activity).record.participants, [contact])

        day = datetime.date(2026, 9, 30)
        opportunity = device.create(crm.changes(
            "opportunity", name="Line 3", customer_id=customer, expected_close_date=day, sales_stage="proposal",
            lines=[{"name": "泵", "qty": decimal.Decimal("2.5")}],
        ))
        found = device.get(opportunity).record
        self.assertEqual((found.expected_close_date, found.sales_stage), (day, "proposal"))
        self.assertEqual([(line.name, line.qty) for line in found.lines], [("泵", decimal.Decimal("2.5"))])
        self.assertEqual(found.stages[-1].to_stage, "proposal")
        with self.assertRaises((TypeError, ValueError), msg="a moment needs its zone"):
            self.customer(device, "Acme", next_contact_at=datetime.datetime(2026, 5, 4))

    def test_patches_say_what_changed(self) -> None:
        device = self.open()
        made = self.customer(device, "Acme", phone="+86 10 1111", tags=["a", "b"], phones=[{"number": "+86 1"}, {"number": "+86 2"}])
        first, second = (phone.row for phone in device.get(made).record.phones)
        self.assertTrue(device.update(made, crm.CrmChanges.CUSTOMER([
            crm.CustomerChange.SHORT_NAME("艾克米"), crm.CustomerChange.PHONE(None), crm.CustomerChange.VISITS(2),
            crm.CustomerChange.PHONES(crm.CustomerPhonesEdit(
                add=[[crm.CustomerPhonesChange.NUMBER("+86 3")]],
                edit=[crm.CustomerPhonesRowEdit(row=first, changes=[crm.CustomerPhonesChange.NUMBER("+86 11")])],
                remove=[second],
            )),
            crm.CustomerChange.COMMON(crm.CommonChange.TAGS(crm.TextSetEdit(add=["c"], remove=["a"]))),
        ])))
        customer = device.get(made).record
        self.assertEqual((customer.company_name, customer.short_name, customer.phone), ("Acme", "艾克米", None))
        self.assertEqual((sorted(customer.common.tags), customer.visits), (["b", "c"], 2))
        self.assertEqual(sorted(phone.number for phone in customer.phones), ["+86 11", "+86 3"])

        waiting = device.outbox()
        self.assertFalse(device.update(made, crm.changes("customer", short_name="艾克米")), "it says so already")
        self.assertFalse(device.update(made, crm.changes("customer")))
        self.assertEqual(device.outbox(), waiting)

        error = self.refused(crm.CrmError.Invalid, device.update, made, crm.changes("customer", company_name=None))
        self.assertEqual((error.code, error.field), ("required", "company_name"))
        error = self.refused(crm.CrmError.Invalid, device.create, crm.changes("customer", short_name="x"))
        self.assertEqual(error.field, "company_name")
        error = self.refused(crm.CrmError.Invalid, device.update, made, crm.changes("customer", tier="platinum"))
        self.assertEqual(error.field, "tier")
        nobody = device.draw_id()
        self.refused(crm.CrmError.NotFound, device.update, nobody, crm.changes("customer", phone="1"))
        self.refused(crm.CrmError, device.update, made, crm.changes("contact", job_title="x"))

    def test_patches_say_what_changed_all_of_a_tap_or_nothing(self) -> None:
        device = self.open()
        customer = device.draw_id()
        edits = [
            crm.Edit.CREATE(fields=crm.changes("customer", company_name="Acme"), record=customer),
            crm.Edit.CREATE(fields=crm.changes("contact", customer_id=customer, name=crm.PersonName(full="李雷")), record=None),
            crm.Edit.UPDATE(record=customer, changes=crm.changes("customer", phone="+86 10 1")),
        ]
        self.assertEqual(device.write(edits)[0], customer)
        self.assertEqual(device.get(customer).record.phone, "+86 10 1")
        bad = [crm.Edit.ARCHIVE(record=customer), crm.Edit.UPDATE(record=customer, changes=crm.changes("customer", company_name=None))]
        self.refused(crm.CrmError.Invalid, device.write, bad)
        self.assertFalse(device.get(customer).record.common.is_archived)
        device.archive(customer)
        self.assertTrue(device.get(customer).record.common.is_archived)
        device.write([crm.Edit.RESTORE(record=customer)])
        device.archive(customer)
        device.restore(customer)
        self.assertFalse(device.get(customer).record.common.is_archived)
        self.refused(crm.CrmError.TooMuch, device.write, [crm.Edit.ARCHIVE(record=customer)] * 65)
