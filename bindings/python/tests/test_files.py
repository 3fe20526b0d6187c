"""Files in and out."""

import csv
import json
import os

import outrider as crm
from world import Scenario

CUSTOMERS = crm.ListQuery(entity="customer", sort="company_name")
TABLE = """公司名称,电话号码,客户编号ERP,员工人数
三川精密实业有限公司,0512-62837719,E-1,320
四海贸易有限公司,010-55550000,E-2,45
Alster Pumpen GmbH,+49 40 1234567,E-3,many
"""


class Told(crm.ProgressListener):
    def __init__(self) -> None:
        self.heard: list[tuple[int, int | None]] = []

    def on_progress(self, done: int, total: "int | None") -> None:
        self.heard.append((done, total))


class Files(Scenario):
    def table(self, name: str, text: str) -> str:
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def test_import_export(self) -> None:
        device = self.open()
        file = self.table("客户.csv", TABLE)
        proposal = device.propose_import(file, crm.ImportWishes(entity="customer", source="erp", region="CN"))
        fields = {column.column: column.field for column in proposal.columns}
        self.assertEqual(
            (proposal.entity, fields["公司名称"], fields["电话号码"], fields["员工人数"]),
            ("customer", "company_name", "phone", "employees"),
        )
        self.assertTrue(all(0 <= column.confidence <= 100 for column in proposal.columns))
        self.assertIn("company_name", proposal.mapping)

        tried = device.import_file(file, proposal.mapping, True)
        self.assertEqual((tried.rows, device.count(CUSTOMERS)), (3, 0), "a trial writes nothing")
        told = Told()
        done = device.import_file(file, proposal.mapping, False, told)
        self.assertEqual(
            (done.created, done.rejected, done.created + done.rejected), (tried.created, tried.rejected, 3)
        )
        self.assertEqual(
            [(note.row, note.column) for note in done.errors], [(4, "员工人数")], "rows are those of the file"
        )
        self.assertTrue(done.errors[0].reason)
        self.assertEqual(device.count(CUSTOMERS), done.created)
        self.assertEqual(device.list(CUSTOMERS).records[0].record.employees, 320)
        again = device.import_file(file, proposal.mapping)
        self.assertEqual((again.created, again.updated, again.unchanged), (0, 0, done.created))

        (batch,) = [one for one in device.imports() if one.number == done.number]
        self.assertEqual(
            (batch.entity, batch.rows, batch.created, batch.is_undone), ("customer", 3, done.created, False)
        )
        self.assertTrue(batch.file.endswith("客户.csv"))
        undone = device.undo_import(done.number)
        self.assertEqual((undone.archived, undone.kept), (done.created, 0))
        self.assertEqual(device.count(CUSTOMERS), 0)
        self.refused(crm.CrmError.Invalid, device.undo_import, 12345)
        self.refused(crm.CrmError.Invalid, device.import_file, file, "no mapping")
        self.refused(crm.CrmError.NotFound, device.propose_import, self.path("nothing.csv"), crm.ImportWishes())

    def test_import_export_written_and_read_back(self) -> None:
        device = self.open()
        made = {
            self.customer(device, name, tags=["vip"]): name
            for name in ("三川实业", "Alster Pumpen GmbH", '"quoted", and\nbroken')
        }
        table = self.path("all.csv")
        told: list[tuple[int, int | None]] = []
        exported = device.export_file(
            table, crm.FileFormat.CSV, CUSTOMERS, lambda done, total: told.append((done, total))
        )
        self.assertEqual((exported.records, exported.left_out, exported.bytes), (3, 0, os.path.getsize(table)))
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual({row["company_name"] for row in rows}, set(made.values()))
        self.refused(crm.CrmError.Refused, device.export_file, table, crm.FileFormat.CSV, CUSTOMERS)
        with open(table, encoding="utf-8-sig", newline="") as file:
            self.assertEqual(list(csv.DictReader(file)), rows, "a file that is there stays")

        for number, form in enumerate((crm.FileFormat.CSV, crm.FileFormat.XLSX, crm.FileFormat.JSON)):
            file = self.path(f"copy-{number}.{form.name.lower()}")
            device.export_file(file, form, CUSTOMERS)
            other = self.open(f"other-{number}")
            summary = other.import_exported(file, Told())
            self.assertEqual((summary.created, summary.rejected), (3, 0), form)
            self.assertEqual({record.record.id: record.record.company_name for record in other.each("customer")}, made)
            self.assertEqual(other.import_exported(file).unchanged, 3)
        lines = self.path("all.jsonl")
        self.assertEqual(device.export_file(lines, crm.FileFormat.JSON_LINES, CUSTOMERS).records, 3)
        with open(lines, encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 4, "a line that says what it is, and one for each")
        self.assertEqual(device.export_file(self.path("x.ics"), crm.FileFormat.I_CALENDAR, CUSTOMERS).left_out, 3)
        deals = crm.ListQuery(entity="opportunity")
        self.refused(crm.CrmError.Invalid, device.export_file, self.path("y.vcf"), crm.FileFormat.V_CARD, deals)
        self.assertEqual(device.export_file(self.path("x.vcf"), crm.FileFormat.V_CARD, CUSTOMERS).records, 3)
        self.refused(crm.CrmError.Invalid, device.import_exported, self.table("foreign.csv", TABLE))

    def test_import_export_is_cancelled(self) -> None:
        device = self.open()
        rows = "".join(f"Customer {number},+86 10 {10000000 + number}\n" for number in range(20_000))
        file = self.table("many.csv", "company_name,phone\n" + rows)
        mapping = device.propose_import(file, crm.ImportWishes(entity="customer", source="erp")).mapping
        cancel = crm.Cancel()
        self.refused(
            crm.CrmError.Cancelled, device.import_file, file, mapping, False, lambda *_: cancel.cancel(), cancel
        )
        there = device.count(CUSTOMERS)
        self.assertLess(there, 20_000)
        device.import_file(file, mapping)
        self.assertEqual(device.count(CUSTOMERS), 20_000, "done again, it brings the rest")
        stopped = crm.Cancel()
        stopped.cancel()
        self.refused(
            crm.CrmError.Cancelled,
            device.export_file,
            self.path("many.json"),
            crm.FileFormat.JSON,
            CUSTOMERS,
            None,
            stopped,
        )
        self.assertFalse(os.path.exists(self.path("many.json")))
        self.refused(crm.CrmError.Cancelled, device.diagnose, stopped)
        self.refused(crm.CrmError.Cancelled, device.undo_import, device.imports(1)[0].number, stopped)

    def test_import_export_of_the_store(self) -> None:
        device = self.open()
        self.customer(device, "三川实业")
        copy = self.path("copy")
        error = self.refused(crm.CrmError.Refused, device.export_store, copy)
        self.assertEqual(error.code, "plain", "what is encrypted does not become readable by mistake")
        self.assertFalse(os.path.exists(copy))
        device.export_store(copy, plain=True)
        with open(copy, "rb") as file:
            self.assertEqual(file.readline(), b"outrider-store 1\n")
            self.assertEqual(json.loads(file.readline())["records"], 1)
        self.refused(crm.CrmError.Refused, device.export_store, copy, True)
