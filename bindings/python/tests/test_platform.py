"""What an app brings, written in Python: it is used, and what it throws is an error of the call alone."""

import datetime

import outrider as crm
import p256
from transport import Transport
from world import Scenario, Secrets, ask, until


class Signer(crm.DeviceSigner):
    """A key as secure hardware has it."""

    def __init__(self) -> None:
        self.key, self.signed, self.is_locked = p256.Key(), 0, False

    def public_key(self) -> bytes:
        return self.key.public()

    def sign(self, message: bytes) -> bytes:
        if self.is_locked:
            raise crm.PlatformError.Locked("the phone is locked")
        self.signed += 1
        return self.key.sign(message)


class Clock(crm.WallClock):
    def __init__(self) -> None:
        self.at = datetime.datetime(2026, 3, 1, 8, 0, tzinfo=datetime.UTC)
        self.is_broken = False

    def now(self) -> datetime.datetime:
        if self.is_broken:
            raise RuntimeError("no clock")
        return self.at


class Hints(crm.DeviceHints):
    """How the network and the power are, unless asking fails."""

    def __init__(self) -> None:
        self.of_network, self.of_power, self.is_broken = crm.Network.UNMETERED, crm.Power.CHARGING, False

    def network(self) -> crm.Network:
        if self.is_broken:
            raise RuntimeError("nobody knows")
        return self.of_network

    def power(self) -> crm.Power:
        if self.is_broken:
            raise crm.PlatformError.Failed("nobody knows")
        return self.of_power


class NoPosition(crm.PositionSource):
    def position(self) -> "crm.GeoPoint | None":
        raise KeyError("the user said no")


class Platform(Scenario):
    def test_platform(self) -> None:
        transport, signer, clock, hints, secrets = Transport(), Signer(), Clock(), Hints(), Secrets()
        brings = dict(
            transport=transport, signer=signer, clock=clock, hints=hints, secrets=secrets, position=NoPosition()
        )
        device = self.open("anna", **brings)
        self.assertEqual(len(secrets.secret), 32)
        record = self.customer(device, "三川实业")
        self.assertEqual(device.get(record).record.common.created_at, clock.at)
        clock.at = datetime.datetime.now(datetime.UTC)
        device.enrol(self.code("Anna"))
        self.assertEqual(device.sync().end, crm.SyncEnd.COMPLETE)
        self.assertGreater(signer.signed, 0)
        self.assertTrue(all(call.url.startswith(self.url) for call in transport.calls))
        self.assertTrue(all(body.is_ended for body in transport.bodies), "each body is ended")
        other = self.device("Ben")
        other.sync()
        self.assertEqual(other.get(record).record.company_name, "三川实业")

        visit = device.create(crm.changes("visit", subject="x", status="new", customer_id=record))
        check = device.check_in(visit, crm.VisitEvent.CHECK_IN, crm.VisitNote())
        self.assertIsNone(device.get(check).record.geo, "a position that cannot be had is none")
        clock.is_broken = True
        self.assertIsNotNone(device.get(self.customer(device, "by the system's clock")).record.common.created_at)
        hints.is_broken = True
        self.assertEqual(
            device.sync_for(crm.SyncBudget(time_ms=20_000)).end, crm.SyncEnd.COMPLETE, "there is enough of both"
        )
        hints.is_broken, hints.of_power = False, crm.Power.SAVER
        self.assertEqual(device.sync_for(crm.SyncBudget(time_ms=20_000)).end, crm.SyncEnd.PUSHED)

    def test_platform_throws(self) -> None:
        transport, signer = Transport(), Signer()
        device = self.device("Anna", transport=transport, signer=signer)
        self.customer(device, "三川实业")
        for failure, kind in (
            (crm.PlatformError.Unreachable("no route"), crm.CrmError.Offline),
            (crm.PlatformError.Untrusted("a stranger"), crm.CrmError.Untrusted),
            (crm.PlatformError.Failed("no"), crm.CrmError.Offline),
            (ZeroDivisionError("a mistake in the app"), crm.CrmError.Offline),
        ):
            transport.failure = failure
            self.refused(kind, device.sync)
            self.assertIsNotNone(device.sync_state().last_error)
        transport.failure = None
        signer.is_locked = True
        self.refused(crm.CrmError.KeyUnavailable, device.sync)
        signer.is_locked = False
        self.assertEqual(device.sync().waiting, 0)
        self.assertIsNone(device.sync_state().last_error)

    def test_platform_throws_in_the_middle(self) -> None:
        transport, secrets = Transport(), Secrets()
        device = self.device("Anna", transport=transport, secrets=secrets)
        self.customer(device, "三川实业")
        for failure in (crm.PlatformError.Unreachable("cut"), ValueError("a mistake in the app")):
            transport.body_failure = failure
            self.refused(crm.CrmError.Offline, device.sync)
        transport.body_failure = None
        self.assertEqual(device.sync().waiting, 0)
        device.close()

        def fails() -> None:
            raise RuntimeError("a mistake in the app")

        broken = Secrets(secrets.secret)
        broken.load = fails
        self.refused((crm.CrmError.KeyUnavailable, crm.CrmError.Failed), self.open, "Anna", secrets=broken)
        self.assertEqual(self.open("Anna", secrets=secrets).count(crm.ListQuery(entity="customer")), 1)

    def test_platform_own_authority(self) -> None:
        office = ask("/office", tls="yes")
        self.addCleanup(ask, "/end", office=office["office"])
        made = ask("/code", office=office["office"], user="Anna")
        transport = Transport()
        device = self.open("anna", transport=transport)
        code = crm.EnrolCode(url=office["url"], code=made["code"], device_name="test", ca_fingerprint="0" * 64)
        self.refused(crm.CrmError.Untrusted, device.enrol, code)
        code.ca_fingerprint = made["ca_fingerprint"]
        device.enrol(code)
        device.sync()
        self.assertTrue(any(call.accepts_any_certificate and not call.body for call in transport.calls))
        self.assertIsNotNone(transport.calls[-1].authority, "it alone is trusted from then on")
        until(lambda: all(body.is_ended for body in transport.bodies), "each body is ended")

        plain = self.open("desktop")
        made = ask("/code", office=office["office"], user="Ben")
        plain.enrol(
            crm.EnrolCode(url=office["url"], code=made["code"], device_name="x", ca_fingerprint=made["ca_fingerprint"])
        )
        self.assertEqual(plain.sync().end, crm.SyncEnd.COMPLETE)
