"""What is Python's own: `with`, `for`, Ctrl-C, the README, the example."""

import _thread
import datetime
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import outrider as crm
from world import PATIENCE_SECONDS, Scenario, ask, until

HERE = pathlib.Path(__file__).parent


class Package(Scenario):
    def test_package_quick_start(self) -> None:
        text = (HERE / "../README.md").read_text(encoding="utf-8")
        program = re.search(r"## Quick start\n\n```python\n(.*?)```", text, re.DOTALL)[1]
        self.assertLess(len(program.splitlines()), 20)
        done = subprocess.run([sys.executable, "-c", program], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            done.stdout.splitlines(), ["Acme 艾克米", "customer Acme 艾克米", "Company name: this is required"]
        )

    def test_package_support_example(self) -> None:
        with crm.open(self.path("records")) as device:
            talked = self.customer(device, "三川实业", phone="+86 512 1")
            self.customer(device, "四海贸易")
            now = datetime.datetime.now(datetime.UTC)
            device.create(
                crm.changes("interaction", subject="电话", channel="call", customer_id=talked, occurred_at=now)
            )
        os.chmod(self.path("records/device.key"), 0o644)
        words = [sys.executable, str(HERE / "../examples/support.py"), self.path("records")]
        done = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("PROBLEM", done.stdout)
        more = ["--repair", "--bundle", self.path("bundle"), "--silent-customers", self.path("silent.csv")]
        done = subprocess.run(words + more, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"2 customer\b")
        silent = pathlib.Path(self.path("silent.csv")).read_text(encoding="utf-8-sig")
        self.assertIn("四海贸易", silent)
        self.assertNotIn("三川实业", silent)

    def test_package_ctrl_c_cancels_a_sync(self) -> None:
        line = ask("/slow", office=self.office, bytes_per_second=1_000_000)
        device = self.device("Anna", url=line["url"])
        ask("/cut", proxy=line["proxy"], silent="yes")
        pressed: list[float] = []

        def press() -> None:
            until(lambda: device.sync_state().is_running, "it runs")
            pressed.append(time.monotonic())
            _thread.interrupt_main()

        threading.Thread(target=press, daemon=True).start()
        with self.assertRaises(KeyboardInterrupt):
            device.sync()
        self.assertLess(time.monotonic() - pressed[0], 5)
        self.assertFalse(device.sync_state().is_running, "it has ended, not only been left")
        ask("/speed", proxy=line["proxy"], bytes_per_second=1_000_000)
        self.assertEqual(device.sync().end, crm.SyncEnd.COMPLETE)

    def test_package_watching(self) -> None:
        device = self.open()
        lists: list[list[str]] = []
        with device.watching(crm.ListQuery(entity="customer", sort="company_name"), tier="a") as watching:
            for records in watching:
                lists.append([record.record.company_name for record in records])
                if len(lists) == 1:
                    self.customer(device, "B", tier="b")
                    made = self.customer(device, "A", tier="a")
                elif len(lists) == 2:
                    device.update(made, crm.changes("customer", company_name="AA"))
                else:
                    break
            self.assertEqual(lists, [[], ["A"], ["AA"]])
            self.assertIsNone(watching.wait(0.05), "nothing new")
            self.assertEqual(
                (len(watching.records), watching.has_more, watching.error, watching.is_open), (1, False, None, True)
            )
            waiting = threading.Thread(target=lambda: lists.append(list(watching)))
            waiting.start()
            watching.close()
            waiting.join(PATIENCE_SECONDS)
            self.assertEqual(lists[-1], [], "whoever waits goes on")
        self.assertFalse(watching.is_open)
