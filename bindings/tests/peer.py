"""A device of the Python library in a process of its own: a line of JSON asks, a line of JSON answers.

`{"do": "create", "entity": "customer", "fields": {"company_name": "Acme", "tags+": "vip"}}`; fields are written as on
the command line of `outrider create`. It ends when its input does.
"""

import datetime
import decimal
import json
import os
import sys
import uuid

import outrider as crm


class KeyInFile(crm.SecretStore):
    """The key beside the records; a peer has nothing to hide."""

    def __init__(self, home: str) -> None:
        self.path = home + ".key"

    def load(self) -> "bytes | None":
        if not os.path.exists(self.path):
            return None
        with open(self.path, "rb") as file:
            return file.read()

    def keep(self, secret: bytes) -> bytes:
        if not os.path.exists(self.path):
            with open(self.path, "wb") as file:
                file.write(secret)
        return self.load()

    def erase(self) -> bool:
        there = os.path.exists(self.path)
        if there:
            os.remove(self.path)
        return there


def money(text: str) -> crm.Money:
    amount, currency = text.split()
    return crm.Money(amount=decimal.Decimal(amount), currency=currency)


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


READ = {
    "integer": int,
    "decimal": decimal.Decimal,
    "money": money,
    "bool": lambda text: text in ("true", "yes", "1"),
    "date": datetime.date.fromisoformat,
    "date_time": moment,
    "link": uuid.UUID,
    "address": lambda text: crm.Address(**json.loads(text)),
    "person_name": lambda text: crm.PersonName(**json.loads(text)),
}


class Peer:
    """One device."""

    def __init__(self, home: str) -> None:
        self.replica = crm.Replica.open(home, crm.Language.ENGLISH, crm.Platform(secrets=KeyInFile(home)))
        entities = self.replica.entities()
        self.fields = {entity.name: {field.name: field for field in entity.fields} for entity in entities}

    def changes(self, entity: str, fields: dict) -> crm.CrmChanges:
        """Typed changes of fields as the command line writes them."""
        own = getattr(crm, "".join(word.title() for word in entity.split("_")) + "Change")
        changes = []
        for name, text in fields.items():
            plain = name.rstrip("+-")
            variant = plain.upper()
            value = self.value(self.fields[entity][plain], name[len(plain) :], text)
            if hasattr(own, variant):
                changes.append(getattr(own, variant)(value))
            else:
                changes.append(own.COMMON(getattr(crm.CommonChange, variant)(value)))
        return getattr(crm.CrmChanges, entity.upper())(changes)

    def value(self, field: crm.FieldInfo, sign: str, text: str) -> object:
        read = READ.get(field.type_name, str)
        if field.kind == "counter":
            return -int(text) if sign == "-" else int(text)
        if field.kind == "set":
            edit = crm.RecordSetEdit if field.type_name == "link" else crm.TextSetEdit
            members = [read(member) for member in text.split(",")]
            return edit(remove=members) if sign == "-" else edit(add=members)
        return read(text) if text else None

    def entity_of(self, record: crm.CrmRecord) -> str:
        return type(record).__name__.rsplit(".", 1)[-1].lower()

    def record(self, id_: str) -> crm.CrmRecord:
        found = self.replica.get(uuid.UUID(id_))
        if found is None:
            raise LookupError(f"there is no record {id_} here")
        return found

    def enrol(self, url: str, code: str) -> dict:
        self.replica.enrol(crm.EnrolCode(url=url, code=code, device_name="python"))
        return {}

    def create(self, entity: str, fields: dict) -> dict:
        return {"record": str(self.replica.create(self.changes(entity, fields)))}

    def edit(self, record: str, fields: dict) -> dict:
        entity = self.entity_of(self.record(record))
        self.replica.update(uuid.UUID(record), self.changes(entity, fields))
        return {}

    def note(self, record: str, line: str) -> dict:
        entity = self.entity_of(self.record(record))
        field = next(name for name, field in self.fields[entity].items() if field.kind == "text")
        self.replica.edit_text(uuid.UUID(record), field, crm.TextEdit.APPEND(line))
        return {}

    def get(self, record: str) -> dict:
        found = self.record(record)
        values = {**vars(found.record.common), **vars(found.record), "entity": self.entity_of(found)}
        values = {name: plain(value) for name, value in values.items() if name not in LEFT_OUT}
        return {name: value for name, value in values.items() if value not in (None, [])}

    def sync(self) -> dict:
        self.replica.sync()
        return {}


# What is no field.
LEFT_OUT = {"common", "computed", "custom", "conflicts", "is_archived", "is_revived"}


def plain(value: object) -> object:
    """A value as the command line's JSON has it."""
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (datetime.date, uuid.UUID)):
        return str(value)
    if hasattr(value, "__dict__"):
        members = {name: plain(member) for name, member in vars(value).items()}
        return {name: member for name, member in members.items() if member not in (None, "")}
    return value


def main() -> None:
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(peer, command.pop("do"))(**command)
        except (crm.CrmError, LookupError, ValueError) as error:
            answer = {"error": getattr(error, "reason", str(error))}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
