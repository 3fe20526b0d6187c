"""Searches, reports, and what there is to ask about, in two languages."""

import decimal

import outrider as crm
from world import Scenario


class Words(Scenario):
    def test_search_in_chinese(self) -> None:
        device = self.open()
        made = self.customer(device, "🏭三川精密实业有限公司", phone="+86 512 6283 7719", notes="对水泵报价感兴趣")
        self.customer(device, "四海贸易")
        for text in ("三川", "sanchuan", "scjm", "6283 77", "62837719", "水泵"):
            page = device.search(crm.SearchQuery(text=text))
            self.assertEqual([hit.record for hit in page.hits], [made], text)
            self.assertEqual((page.total, page.is_cut), (1, False))
        (hit,) = device.find("三川", "customer")
        self.assertEqual("".join(part.text for part in hit.title_parts), hit.title)
        self.assertEqual([part.text for part in hit.title_parts if part.is_hit], ["三川"])
        self.assertEqual(device.find("三川", "contact"), [])
        (hit,) = device.find("水泵")
        self.assertEqual([part.text for part in hit.snippet_parts if part.is_hit], ["水泵"])
        self.assertTrue(hit.field_label)
        for text in ("", " ", "'\"*(", "\x00", "a" * 5000, "%_"):
            device.search(crm.SearchQuery(text=text))

    def test_pipeline_report(self) -> None:
        device = self.open(language=crm.Language.CHINESE)
        self.assertEqual([pipeline.count for pipeline in device.pipeline_report()], [0])
        for stage, amount, currency in (
            ("proposal", "1000.10", "CNY"),
            ("proposal", "2000.20", "CNY"),
            ("won", "500", "CNY"),
            ("lost", "70", "CNY"),
            ("proposal", "9", "EUR"),
        ):
            money = crm.Money(amount=decimal.Decimal(amount), currency=currency)
            device.create(
                crm.changes("opportunity", name=f"{stage} {amount}", sales_stage=stage, expected_amount=money)
            )
        cny, eur = device.pipeline_report()
        self.assertEqual(
            (cny.currency, cny.count, cny.open_count, cny.open_amount), ("CNY", 4, 2, decimal.Decimal("3000.30"))
        )
        self.assertEqual((cny.open_weighted, cny.won_amount, cny.lost_amount), (decimal.Decimal("1500.15"), 500, 70))
        self.assertEqual((cny.won_count, cny.lost_count, cny.win_rate_percent), (1, 1, 50.0))
        proposal = next(stage for stage in cny.by_stage if stage.stage == "proposal")
        self.assertEqual((proposal.label, proposal.count, proposal.amount), ("方案报价", 2, decimal.Decimal("3000.30")))
        self.assertEqual((eur.currency, eur.open_amount), ("EUR", 9))

    def test_schema(self) -> None:
        english, chinese = self.open("en"), self.open("zh", crm.Language.CHINESE)
        self.assertEqual(crm.version(), crm.__version__)
        names = [entity.name for entity in english.entities()]
        self.assertGreaterEqual(len(names), 37)
        for entity in english.entities():
            self.assertTrue(hasattr(crm.CrmRecord, entity.name.upper()), f"{entity.name} has a type")
            self.assertIn(entity.title, [field.name for field in entity.fields])
        for device, labels in (
            (english, ("Customer", "Customers", "Company name", "Proposal")),
            (chinese, ("客户", "客户信息表", "公司名称", "方案报价")),
        ):
            customer = next(entity for entity in device.entities() if entity.name == "customer")
            name = next(field for field in customer.fields if field.name == "company_name")
            stages = {choice.id: choice.label for choice in device.choices("sales_stage")}
            self.assertEqual((customer.label, customer.plural, name.label, stages["proposal"]), labels)
            self.assertEqual((name.is_required, name.type_name, name.kind), (True, "text", "register"))
            limit = next(field for field in customer.fields if field.name == "credit_limit")
            self.assertTrue(limit.is_restricted)
            phones = next(field for field in customer.fields if field.name == "phones")
            self.assertEqual([column.name for column in phones.columns], ["number", "label", "is_primary"])
        self.refused(crm.CrmError.NotFound, english.choices, "colours")
