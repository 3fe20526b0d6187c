"""Only what is named changes, and all of a tap or nothing."""

import datetime

import outrider as crm
from world import Scenario

UTC = datetime.UTC


class Patches(Scenario):
    def test_patches_say_what_changed(self) -> None:
        device = self.open()
        made = self.customer(
            device, "Acme", phone="+86 10 1111", tags=["a", "b"], phones=[{"number": "+86 1"}, {"number": "+86 2"}]
        )
        first, second = (phone.row for phone in device.get(made).record.phones)
        self.assertTrue(
            device.update(
                made,
                crm.CrmChanges.CUSTOMER(
                    [
                        crm.CustomerChange.SHORT_NAME("艾克米"),
                        crm.CustomerChange.PHONE(None),
                        crm.CustomerChange.VISITS(2),
                        crm.CustomerChange.PHONES(
                            crm.CustomerPhonesEdit(
                                add=[[crm.CustomerPhonesChange.NUMBER("+86 3")]],
                                edit=[
                                    crm.CustomerPhonesRowEdit(
                                        row=first, changes=[crm.CustomerPhonesChange.NUMBER("+86 11")]
                                    )
                                ],
                                remove=[second],
                            )
                        ),
                        crm.CustomerChange.COMMON(crm.CommonChange.TAGS(crm.TextSetEdit(add=["c"], remove=["a"]))),
                    ]
                ),
            )
        )
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
            crm.Edit.CREATE(
                fields=crm.changes("contact", customer_id=customer, name=crm.PersonName(full="李雷")), record=None
            ),
            crm.Edit.UPDATE(record=customer, changes=crm.changes("customer", phone="+86 10 1")),
        ]
        self.assertEqual(device.write(edits)[0], customer)
        self.assertEqual(device.get(customer).record.phone, "+86 10 1")
        bad = [
            crm.Edit.ARCHIVE(record=customer),
            crm.Edit.UPDATE(record=customer, changes=crm.changes("customer", company_name=None)),
        ]
        self.refused(crm.CrmError.Invalid, device.write, bad)
        self.assertFalse(device.get(customer).record.common.is_archived)
        device.archive(customer)
        self.assertTrue(device.get(customer).record.common.is_archived)
        device.write([crm.Edit.RESTORE(record=customer)])
        device.archive(customer)
        device.restore(customer)
        self.assertFalse(device.get(customer).record.common.is_archived)
        self.refused(crm.CrmError.TooMuch, device.write, [crm.Edit.ARCHIVE(record=customer)] * 65)
