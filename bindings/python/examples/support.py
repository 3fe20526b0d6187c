#!/usr/bin/env python3
"""What somebody who helps a user looks at first.

    support.py FOLDER [--repair] [--bundle FILE] [--silent-customers FILE]

Says where the device stands, what is wrong, and what waits. `--repair` does the repairs that are named. `--bundle`
writes a file for the developers, in which nothing that was typed can be read; `--silent-customers` writes a table of
those that nobody has talked to. The records are looked at where they are, with the user's key.
"""

import argparse
import csv
import sys

import outrider
from outrider import CrmError, ListQuery


def standing(crm: outrider.Crm) -> None:
    status, storage = crm.status(), crm.storage()
    print(f"Outrider {outrider.version()}, user {status.user or '(not enrolled)'}, server {status.server or '-'}")
    print(f"last sync: {status.last_sync or 'never'}; {status.waiting} changes wait")
    print(f"{status.conflicts} conflicts, {status.refusals} refusals")
    print(f"{storage.database_bytes / 1e6:.1f} MB, of which {storage.free_bytes / 1e6:.1f} MB are free")
    for count in status.records:
        if count.count:
            print(f"  {count.count:7} {count.entity}")


def care(crm: outrider.Crm, repair: bool) -> int:
    problems = 0
    for finding in crm.diagnose():
        print(f"{'PROBLEM' if finding.is_problem else 'note'} {finding.code}: {finding.sentence}")
        if finding.is_problem and repair and finding.fix:
            print(f"  {finding.fix}: {crm.repair(finding.fix)} repaired")
        elif finding.is_problem:
            problems += 1
    return problems


def waiting(crm: outrider.Crm) -> None:
    for conflict in crm.conflicts():
        values = " | ".join(f"{value.text} ({value.by or '?'})" for value in conflict.values)
        print(f"conflict: {conflict.title}, {conflict.label}: {values}")
    for refusal in crm.inbox():
        print(f"refused: {refusal.entity} {refusal.record}: {refusal.reason}")


def silent_customers(crm: outrider.Crm, file: str) -> int:
    rows = []
    for record in crm.each(ListQuery(entity="customer", sort="company_name")):
        # What is computed from other records comes where one record is asked for.
        row = outrider.as_dict(crm.get(record.record.id))
        if not row.get("last_contact_at"):
            rows.append({name: row[name] for name in ("id", "company_name", "phone", "created_at")})
    with open(file, "w", encoding="utf-8-sig", newline="") as table:
        writer = csv.DictWriter(table, ["id", "company_name", "phone", "created_at"])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--bundle", metavar="FILE")
    parser.add_argument("--silent-customers", metavar="FILE")
    args = parser.parse_args()
    try:
        with outrider.open(args.folder) as crm:
            standing(crm)
            problems = care(crm, args.repair)
            waiting(crm)
            if args.silent_customers:
                print(f"{silent_customers(crm, args.silent_customers)} silent customers in {args.silent_customers}")
            if args.bundle:
                bundle = crm.write_support_bundle(args.bundle)
                print(f"{args.bundle}: {', '.join(bundle.parts)}")
            return 1 if problems else 0
    except CrmError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
