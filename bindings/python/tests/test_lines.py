"""Slow lines: syncs that are cancelled, and syncs that may cost only so much."""

import threading
import time

import outrider as crm
from world import PATIENCE_SECONDS, Scenario, ask, until

CUSTOMERS = crm.ListQuery(entity="customer")


class Hints(crm.DeviceHints):
    def __init__(self, network: crm.Network) -> None:
        self.now = network

    def network(self) -> crm.Network:
        return self.now

    def power(self) -> crm.Power:
        return crm.Power.BATTERY


class Lines(Scenario):
    def slow(self, bytes_per_second: int) -> "dict[str, str]":
        return ask("/slow", office=self.office, bytes_per_second=bytes_per_second)

    def test_cancel_in_the_middle(self) -> None:
        ask("/fill", office=self.office, customers=3000)
        line = self.slow(1_000_000)
        device = self.device("Anna", url=line["url"])
        ask("/speed", proxy=line["proxy"], bytes_per_second=20_000)
        cancel, arrived = crm.Cancel(), threading.Event()
        self.assertFalse(cancel.is_cancelled())
        told: list[crm.SyncProgress] = []
        ended: list[tuple[float, object]] = []

        def hear(progress: crm.SyncProgress) -> None:
            told.append(progress)
            if progress.received:
                arrived.set()

        def run() -> None:
            try:
                ended.append((0, device.sync(hear, cancel)))
            except crm.CrmError as error:
                ended.append((time.monotonic(), error))

        thread = threading.Thread(target=run)
        thread.start()
        self.assertTrue(arrived.wait(PATIENCE_SECONDS), "something arrives")
        state = device.sync_state()
        self.assertTrue(state.is_running)
        self.assertGreater(state.progress.bytes_down, 0)
        self.assertEqual(state.progress.phase, crm.SyncPhase.RECEIVING)
        begun = time.monotonic()
        self.customer(device, "三川实业")
        self.assertLess(time.monotonic() - begun, 2, "no screen waits for a sync")
        begun = time.monotonic()
        cancel.cancel()
        thread.join(PATIENCE_SECONDS)
        ((at, error),) = ended
        self.assertIsInstance(error, crm.CrmError.Cancelled)
        self.assertLess(at - begun, 2)
        self.assertTrue(cancel.is_cancelled())
        there = device.count(CUSTOMERS)
        self.assertGreater(there, 1, "what arrived is there")
        self.assertTrue(all(one.received < one.expected for one in told if one.received), "there is more to come")
        self.assertLess(there, 3001)
        self.refused(crm.CrmError.Cancelled, device.sync, None, cancel)

        ask("/speed", proxy=line["proxy"], bytes_per_second=50_000_000)
        report = device.sync()
        self.assertEqual((device.count(CUSTOMERS), report.waiting), (3001, 0))
        self.assertLess(report.received, 3000, "what was there did not come again")

    def test_cancel_in_the_middle_of_silence(self) -> None:
        line = self.slow(1_000_000)
        device = self.device("Anna", url=line["url"])
        ask("/cut", proxy=line["proxy"], silent="yes")
        cancel = crm.Cancel()
        ended: list[object] = []
        thread = threading.Thread(
            target=lambda: ended.append(self.refused(crm.CrmError.Cancelled, device.sync, None, cancel))
        )
        thread.start()
        until(lambda: device.sync_state().is_running, "it runs")
        begun = time.monotonic()
        cancel.cancel()
        thread.join(PATIENCE_SECONDS)
        self.assertEqual(len(ended), 1)
        self.assertLess(time.monotonic() - begun, 2)

    def test_background_budget(self) -> None:
        ask("/fill", office=self.office, customers=3000)
        line = self.slow(1_000_000)
        hints = Hints(crm.Network.UNMETERED)
        device = self.device("Anna", url=line["url"], hints=hints)
        mine = self.customer(device, "三川实业")
        ask("/speed", proxy=line["proxy"], bytes_per_second=20_000)

        begun = time.monotonic()
        report = device.sync_for(crm.SyncBudget(time_ms=2500))
        self.assertLess(time.monotonic() - begun, 3.5)
        self.assertEqual((report.end, report.waiting), (crm.SyncEnd.OUT_OF_TIME, 0), "what waits goes first")
        self.assertEqual(device.sync_state().last_end, crm.SyncEnd.OUT_OF_TIME)
        first = device.count(CUSTOMERS)
        self.assertLess(first, 3001)

        ask("/speed", proxy=line["proxy"], bytes_per_second=50_000_000)
        report = device.sync_for(crm.SyncBudget(bytes=60_000))
        self.assertEqual(report.end, crm.SyncEnd.OUT_OF_BYTES)
        self.assertLessEqual(report.bytes_up + report.bytes_down, 60_000)
        second = device.count(CUSTOMERS)
        self.assertGreater(second, first, "it goes on where it stopped")

        hints.now = crm.Network.OFFLINE
        waits = self.customer(device, "四海贸易")
        report = device.sync_for(crm.SyncBudget(time_ms=20_000))
        self.assertEqual((report.end, report.waiting, report.requests), (crm.SyncEnd.NO_NETWORK, 1, 0))
        hints.now = crm.Network.METERED
        report = device.sync_for(crm.SyncBudget(is_push_only=True))
        self.assertEqual((report.end, report.waiting), (crm.SyncEnd.PUSHED, 0))
        told: list[crm.SyncProgress] = []
        self.assertEqual(device.sync_for(crm.SyncBudget(time_ms=60_000), told.append).end, crm.SyncEnd.COMPLETE)
        self.assertTrue(told)
        self.assertEqual(device.count(CUSTOMERS), 3002)
        other = self.device("Ben")
        other.sync()
        self.assertEqual(
            {other.get(mine).record.company_name, other.get(waits).record.company_name}, {"三川实业", "四海贸易"}
        )

    def test_background_budget_on_a_dead_line(self) -> None:
        line = self.slow(1_000_000)
        device = self.device("Anna", url=line["url"])
        self.customer(device, "三川实业")
        ask("/cut", proxy=line["proxy"], silent="yes")
        begun = time.monotonic()
        report = device.sync_for(crm.SyncBudget(time_ms=1500))
        self.assertLess(time.monotonic() - begun, 2.5)
        self.assertEqual((report.end, report.waiting), (crm.SyncEnd.OUT_OF_TIME, 1))
        ask("/cut", proxy=line["proxy"])
        self.refused(crm.CrmError.Offline, device.sync)
        ask("/speed", proxy=line["proxy"], bytes_per_second=1_000_000)
        self.assertEqual(device.sync().waiting, 0)
