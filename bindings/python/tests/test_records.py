"""What is written is read back as it was."""

import datetime
import decimal

import outrider as crm
from world import Scenario

UTC = datetime.UTC


class Records(Scenario):
    def test_typed_records(self) -> None:
        device = self.open()
        money = crm.Money(amount=decimal.Decimal("1250000.50"), currency="CNY")
        address = crm.Address(
            country="CN", province="浙江省", city="杭州市", district="西湖区", street="文三路 90 号", postcode="310012"
        )
        position = crm.GeoPoint(latitude=30.2741, longitude=120.1551, accuracy_m=12, source="gps")
        moment = datetime.datetime(2026, 3, 1, 9, 30, 15, 250000, UTC)
        made = device.create(
            crm.CrmChanges.CUSTOMER(
                [
                    crm.CustomerChange.COMPANY_NAME("西湖精密仪器有限公司"),
                    crm.CustomerChange.CUSTOMER_KIND("company"),
                    crm.CustomerChange.CREDIT_LIMIT(money),
                    crm.CustomerChange.POTENTIAL(decimal.Decimal("0.7500")),
                    crm.CustomerChange.EMPLOYEES(320),
                    crm.CustomerChange.NEXT_CONTACT_AT(moment),
                    crm.CustomerChange.ADDRESS(address),
                    crm.CustomerChange.GEO(position),
                    crm.CustomerChange.VISITS(3),
                    crm.CustomerChange.NOTES("第一行\nSecond line\n"),
                    crm.CustomerChange.PHONES(
                        crm.CustomerPhonesEdit(
                            add=[
                                [
                                    crm.CustomerPhonesChange.NUMBER("+86 571 8888 0001"),
                                    crm.CustomerPhonesChange.IS_PRIMARY(True),
                                ]
                            ]
                        )
                    ),
                    crm.CustomerChange.COMMON(crm.CommonChange.TAGS(crm.TextSetEdit(add=["重点", "export"]))),
                ]
            )
        )
        customer = device.get(made).record
        self.assertEqual(customer.id, made)
        self.assertEqual(customer.company_name, "西湖精密仪器有限公司")
        self.assertEqual((customer.customer_kind, customer.employees, customer.visits), ("company", 320, 3))
        self.assertEqual((customer.credit_limit, customer.potential), (money, decimal.Decimal("0.75")))
        self.assertEqual((customer.next_contact_at, customer.address), (moment, address))
        self.assertEqual(customer.geo, position)
        self.assertEqual(sorted(customer.common.tags), ["export", "重点"])
        unknown = crm.changes("customer", custom={"loyalty": 7})
        self.assertEqual(self.refused(crm.CrmError.Invalid, device.update, made, unknown).code, "unknown_field")
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
        contract = device.create(
            crm.changes("contract", name="年度维保", customer_id=customer, term=term, status="draft")
        )
        self.assertEqual(device.get(contract).record.term, term)
        self.assertEqual(device.get(contract).record.status, "draft")

        span = crm.TimeSpan(
            start=datetime.datetime(2026, 5, 4, 1, 0, tzinfo=UTC),
            end=datetime.datetime(2026, 5, 4, 3, 30, tzinfo=UTC),
            time_zone="Asia/Shanghai",
        )
        activity = device.create(
            crm.changes(
                "activity",
                subject="拜访",
                activity_type="meeting",
                activity_date=span,
                participants=[contact],
            )
        )
        self.assertEqual(device.get(activity).record.activity_date, span)
        self.assertEqual(device.get(activity).record.participants, [contact])

        day = datetime.date(2026, 9, 30)
        opportunity = device.create(
            crm.changes(
                "opportunity",
                name="Line 3",
                customer_id=customer,
                expected_close_date=day,
                sales_stage="proposal",
                lines=[{"name": "泵", "qty": decimal.Decimal("2.5")}],
            )
        )
        found = device.get(opportunity).record
        self.assertEqual((found.expected_close_date, found.sales_stage), (day, "proposal"))
        self.assertEqual([(line.name, line.qty) for line in found.lines], [("泵", decimal.Decimal("2.5"))])
        with self.assertRaises((TypeError, ValueError), msg="a moment needs its zone"):
            self.customer(device, "Acme", next_contact_at=datetime.datetime(2026, 5, 4))
