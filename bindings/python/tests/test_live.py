"""Lists that stay up to date, whatever those who listen do."""

import threading
import time

import outrider as crm
from listeners import Does, Mirror
from world import PATIENCE_SECONDS, Scenario, Secrets, ask, until

CUSTOMERS = crm.ListQuery(entity="customer", sort="company_name", limit=50)


class Live(Scenario):
    def becomes(self, device: crm.Crm, mirror: Mirror) -> None:
        """Until the list that the changes make is what the query says."""
        until(lambda: mirror.records == device.list(CUSTOMERS).records, "the list is what the query says")

    def test_live_list_updates(self) -> None:
        secrets = Secrets()
        device = self.device("Anna", secrets=secrets)
        first = self.customer(device, "B")
        mirror = Mirror()
        live = mirror.begin(device.watch(CUSTOMERS, mirror))
        self.assertEqual([record.record.company_name for record in live.first().records], ["B"])

        self.customer(device, "A 三川")
        third = self.customer(device, "C")
        self.becomes(device, mirror)
        device.update(first, crm.changes("customer", company_name="D"))
        device.archive(third)
        self.becomes(device, mirror)
        device.update(first, crm.changes("customer", phone="+86 10 1"))
        self.becomes(device, mirror)

        extension = self.open("Anna", secrets=secrets)
        self.customer(extension, "E")
        extension.restore(third)
        self.becomes(device, mirror)

        peer = self.peer("Ben")
        peer.create("customer", company_name="AA 来自公司")
        peer.sync()
        device.sync()
        self.becomes(device, mirror)
        self.assertEqual(len(mirror.records), 5)
        live.end()
        told = len(mirror.heard)
        heard = Mirror()
        other = heard.begin(device.watch(CUSTOMERS, heard))
        self.customer(device, "F")
        self.becomes(device, heard)
        other.end()
        self.assertEqual((len(mirror.heard), mirror.errors), (told, []), "after the end nothing is told")

    def test_live_list_updates_full_window_and_limits(self) -> None:
        device = self.open()
        for number in range(60):
            self.customer(device, f"N{number:02}")
        mirror = Mirror()
        live = mirror.begin(device.watch(CUSTOMERS, mirror))
        self.assertIsNotNone(live.first().next)
        self.customer(device, "A")
        self.becomes(device, mirror)
        self.assertEqual(len(mirror.records), 50)
        lists = [device.watch(CUSTOMERS, Mirror()) for _ in range(63)]
        self.refused(crm.CrmError.TooMuch, device.watch, CUSTOMERS, Mirror())
        del lists
        device.watch(CUSTOMERS, Mirror()).end()
        self.refused(crm.CrmError.TooMuch, device.watch, crm.ListQuery(entity="customer", limit=501), Mirror())
        self.refused(crm.CrmError.Invalid, device.watch, crm.ListQuery(entity="customer", text="N0"), Mirror())

    def test_listener_that_misbehaves(self) -> None:
        device, gate = self.device("Anna"), threading.Event()
        self.addCleanup(gate.set)

        def throws(_: object) -> None:
            raise ValueError("on purpose")

        def calls_back(_: object) -> None:
            if device.count(CUSTOMERS) < 5:
                self.customer(device, "from within")
            device.watch(CUSTOMERS, Mirror()).end()

        bad = [Does(lambda _: gate.wait()), Does(lambda _: gate.wait()), Does(throws), Does(calls_back)]
        lists = [device.watch(CUSTOMERS, listener) for listener in bad]
        mirror = Mirror()
        lists.append(mirror.begin(device.watch(CUSTOMERS, mirror)))
        self.customer(device, "A")
        for listener in bad:
            self.assertTrue(listener.called.wait(PATIENCE_SECONDS), "each is called")
        until(lambda: len(mirror.records) == 5, "who only listens hears of all")
        self.becomes(device, mirror)
        self.assertEqual(device.sync(lambda _: gate.wait()).end, crm.SyncEnd.COMPLETE)
        self.customer(device, "B")
        self.becomes(device, mirror)

        begun = time.monotonic()
        for live in lists:
            live.end()
        device.close()
        self.assertLess(time.monotonic() - begun, 5, "nothing waits for who blocks")
        self.assertTrue(device.is_locked())

    def test_listener_that_misbehaves_gets_a_new_beginning(self) -> None:
        device, gate = self.open(), threading.Event()
        record = self.customer(device, "A")
        slow, fast = Mirror(), Mirror()
        blocks = Does(lambda change: (gate.wait(PATIENCE_SECONDS), slow.on_change(change)))
        lists = [slow.begin(device.watch(CUSTOMERS, blocks)), fast.begin(device.watch(CUSTOMERS, fast))]
        for number in range(80):
            device.update(record, crm.changes("customer", company_name=f"A{number}"))
            until(lambda count=number: len(fast.heard) > count, "the other one hears of each")
        gate.set()
        self.becomes(device, slow)
        self.assertTrue(any(change.is_reset for change in slow.heard))
        for live in lists:
            live.end()

    def test_live_list_updates_while_filled_by_a_sync(self) -> None:
        device = self.device("Anna")
        mirror = Mirror()
        live = mirror.begin(device.watch(CUSTOMERS, mirror))
        ask("/fill", office=self.office, customers=300)
        device.sync()
        self.becomes(device, mirror)
        self.assertEqual(len(mirror.records), 50)
        live.end()
