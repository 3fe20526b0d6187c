"""Questions: lists, counts, what is near."""

import datetime

import outrider as crm
from world import Scenario


class Queries(Scenario):
    def test_queries(self) -> None:
        device = self.open()
        cities = ["上海", "北京", "Hamburg"]
        made = [
            self.customer(
                device,
                f"Customer {number:03}",
                tier=["a", "b"][number % 2],
                employees=number,
                address=crm.Address(country="CN", city=cities[number % 3]),
                tags=["even"] if number % 2 == 0 else [],
                next_contact_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=number),
            )
            for number in range(120)
        ]
        everything = crm.ListQuery(entity="customer", sort="employees", descending=True, limit=50)
        pages, after = [], None
        while True:
            everything.after = after
            page = device.list(everything)
            pages.append([record.record.employees for record in page.records])
            if page.next is None:
                break
            after = page.next
        self.assertEqual([len(page) for page in pages], [50, 50, 20])
        self.assertEqual(sum(pages, []), list(range(119, -1, -1)))
        self.assertEqual(
            [
                record.record.employees
                for record in device.each(crm.ListQuery(entity="customer", sort="employees", limit=7))
            ],
            list(range(120)),
        )

        def count(*filters: crm.Filter) -> int:
            query = crm.ListQuery(entity="customer", filters=list(filters))
            self.assertEqual(len(list(device.each(query))), device.count(query))
            return device.count(query)

        tier_a = crm.Filter(field="tier", compare=crm.Compare.IS, value=crm.FieldValue.TEXT("a"))
        small = crm.Filter(field="employees", compare=crm.Compare.TO, value=crm.FieldValue.INTEGER(9))
        late = datetime.datetime(2026, 4, 1, tzinfo=datetime.UTC)
        self.assertEqual(count(tier_a), 60)
        self.assertEqual(count(tier_a, small), 5)
        self.assertEqual(
            count(crm.Filter(field="tier", compare=crm.Compare.IS_NOT, value=crm.FieldValue.TEXT("a"))), 60
        )
        self.assertEqual(
            count(crm.Filter(field="employees", compare=crm.Compare.FROM, value=crm.FieldValue.INTEGER(110))), 10
        )
        self.assertEqual(
            count(crm.Filter(field="company_name", compare=crm.Compare.CONTAINS, value=crm.FieldValue.TEXT("mer 11"))),
            10,
        )
        self.assertEqual(
            count(crm.Filter(field="next_contact_at", compare=crm.Compare.FROM, value=crm.FieldValue.MOMENT(late))), 30
        )
        self.assertEqual(
            count(crm.Filter(field="phone", compare=crm.Compare.IS)), 120, "no value: those that are empty"
        )
        self.assertEqual(len(list(device.each("customer", tier="a", employees=4))), 1)

        device.archive(made[0])
        self.assertEqual(device.count(crm.ListQuery(entity="customer")), 119)
        self.assertEqual(device.count(crm.ListQuery(entity="customer", with_archived=True)), 120)
        found = device.list(crm.ListQuery(entity="customer", text="customer 07", filters=[tier_a], limit=50))
        self.assertEqual(sorted(record.record.employees for record in found.records), [70, 72, 74, 76, 78])
        one = crm.Filter(field="id", compare=crm.Compare.IS, value=crm.FieldValue.LINK(made[7]))
        self.assertEqual(
            [record.record.id for record in device.each(crm.ListQuery(entity="customer", filters=[one]))], [made[7]]
        )
        self.nonsense(device)

    def nonsense(self, device: crm.Crm) -> None:
        for query in (
            crm.ListQuery(entity="customer", sort="colour"),
            crm.ListQuery(entity="customer", after="not a page"),
            crm.ListQuery(
                entity="customer",
                filters=[crm.Filter(field="colour", compare=crm.Compare.IS, value=crm.FieldValue.TEXT("x"))],
            ),
            crm.ListQuery(
                entity="customer",
                filters=[
                    crm.Filter(
                        field="tier",
                        compare=crm.Compare.IS,
                        value=crm.FieldValue.DAYS(crm.Period(start=None, end=None)),
                    )
                ],
            ),
        ):
            self.refused(crm.CrmError.Invalid, device.list, query)
        self.refused(crm.CrmError.NotFound, device.list, crm.ListQuery(entity="spaceship"))
        self.refused(crm.CrmError.Invalid, device.search, crm.SearchQuery(text="x", after="not a page"))

    def test_queries_near_a_place(self) -> None:
        device = self.open()
        places = {"人民广场": (31.2304, 121.4737), "外滩": (31.2400, 121.4900), "北京": (39.9042, 116.4074)}
        made = {
            name: self.customer(device, name, geo=crm.GeoPoint(latitude=latitude, longitude=longitude))
            for name, (latitude, longitude) in places.items()
        }
        here = crm.GeoPoint(latitude=31.2310, longitude=121.4740)
        near = device.near(here)
        self.assertEqual([one.record for one in near], [made["人民广场"], made["外滩"]])
        self.assertLess(near[0].distance_m, 200)
        self.assertEqual(len(device.near(here, "customer", radius_m=500)), 1)
        self.refused(crm.CrmError.Invalid, device.near, crm.GeoPoint(latitude=123.0, longitude=0.0))
