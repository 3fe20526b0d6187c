"""What is Python's own: records as rows, values that compare, errors that are sentences, types."""

import copy
import decimal
import pathlib
import re
import subprocess
import sys
import unittest
import uuid

import outrider as crm
from world import Scenario

HERE = pathlib.Path(__file__).parent


class Values(Scenario):
    def test_package_records_as_rows(self) -> None:
        device = self.open()
        made = self.customer(
            device,
            "三川实业",
            tags=["a"],
            phones=[{"number": "+86 1"}],
            address=crm.Address(city="苏州市"),
            credit_limit=crm.Money(amount=decimal.Decimal("12.50"), currency="CNY"),
            visits=2,
        )
        values = crm.as_dict(device.get(made))
        self.assertEqual(
            (values["entity"], values["id"], values["tags"], values["visits"]), ("customer", made, ["a"], 2)
        )
        self.assertEqual(values["phones"][0]["number"], "+86 1")
        self.assertEqual(values["open_opportunity_count"], 0, "with what is computed")
        (row,) = crm.rows(device.each("customer"))
        self.assertEqual((row["credit_limit"], row["credit_limit_currency"]), (decimal.Decimal("12.50"), "CNY"))
        self.assertEqual(row["address_city"], "苏州市")
        self.assertIn("三川实业", repr(device.get(made)))
        self.assertNotIn("None", repr(device.get(made)), "what has no value does not hide what has")
        with self.assertRaises(TypeError):
            crm.changes("customer", colour="red")
        with self.assertRaises(TypeError):
            crm.changes("spaceship", name="x")

    def test_package_values_and_errors(self) -> None:
        money = crm.Money(amount=decimal.Decimal("1"), currency="CNY")
        self.assertEqual(money, copy.copy(money))
        self.assertNotEqual(money, None)
        self.assertEqual(crm.field_value(True), crm.FieldValue.YES_NO(True))
        self.assertEqual(crm.field_value(money), crm.FieldValue.AMOUNT(money))
        link = uuid.uuid4()
        match crm.field_value(link):
            case crm.FieldValue.LINK(value):
                self.assertEqual(value, link)
            case other:
                self.fail(f"{other!r} is no link")
        with self.assertRaises(TypeError):
            crm.field_value(object())
        device = self.open()
        error = self.refused(crm.CrmError.Invalid, device.create, crm.changes("customer"))
        self.assertEqual(str(error), "Company name: this is required")
        self.assertEqual(
            repr(error),
            "CrmError.Invalid(code='required', reason='Company name: this is required', field='company_name')",
        )
        with device as same:
            self.assertFalse(same.is_locked())
        self.assertTrue(device.is_locked())

    def test_package_types(self) -> None:
        done = subprocess.run([sys.executable, "-m", "mypy", "--version"], capture_output=True, text=True)
        if done.returncode:
            raise unittest.SkipTest("mypy is not installed")
        package = str(pathlib.Path(crm.__file__).parent)
        cache = ["--cache-dir", self.path("mypy")]
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", *cache, package, str(HERE / "../examples/support.py")],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        wrong = pathlib.Path(self.path("wrong.py"))
        wrong.write_text(
            "import outrider\noutrider.CustomerChange.COMPANY_NAME(3)\noutrider.open('x').get('no id')\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", *cache, str(wrong)], capture_output=True, text=True
        )
        self.assertEqual(len(re.findall(r"error: Argument 1", done.stdout)), 2, done.stdout)
