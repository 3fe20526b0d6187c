"""A process that ends in the middle of things: exits.py FOLDER SECONDS [URL CODE]

Lists are being told, one listener never returns, and with an office two threads exchange by a transport of Python's.
"""

import sys
import threading
import time

import outrider as crm
from listeners import Does
from transport import Transport
from world import Secrets

CUSTOMERS = crm.ListQuery(entity="customer")


def slow(_: object) -> None:
    for _ in range(100_000):
        pass


def exchange(device: crm.Crm) -> None:
    while not device.is_locked():
        try:
            device.sync(lambda _: None)
        except crm.CrmError:
            return


def main() -> None:
    folder, seconds, *office = sys.argv[1:]
    device = crm.open(folder, crm.Language.ENGLISH, crm.Platform(secrets=Secrets(), transport=Transport()))
    if office:
        device.enrol(crm.EnrolCode(url=office[0], code=office[1], device_name="exits"))
    # They are held, as an app holds them, and nobody closes anything.
    globals()["held"] = [device.watch(CUSTOMERS, Does(slow)) for _ in range(4)]
    globals()["held"].append(device.watch(CUSTOMERS, Does(lambda _: threading.Event().wait())))
    for number in range(20):
        device.create(crm.changes("customer", company_name=f"三川 {number}"))
    if office:
        for _ in range(2):
            threading.Thread(target=exchange, args=(device,), daemon=True).start()
    time.sleep(float(seconds))
    print("the end")


if __name__ == "__main__":
    main()
