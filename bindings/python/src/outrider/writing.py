"""Typed changes by their names: `changes("customer", company_name="Acme", tags=["vip"])`."""

import datetime
import decimal
import typing
import uuid

from . import native


def changes(entity: str, **values: typing.Any) -> native.CrmChanges:
    """What becomes of a record: the fields that are named, and no others.

    A value is of the field's type (`Money`, `Address`, a date, …), and nothing clears it. A list is what a set of texts
    or records gets; what it loses takes a `TextSetEdit`. Rows and logs are a list of new rows, each a dictionary by
    column; rows that change or go take the field's own edit, such as `CustomerPhonesEdit`. `custom` takes a dictionary
    of the fields that the company added.
    """
    name = "".join(word.title() for word in entity.split("_"))
    own = getattr(native, f"{name}Change", None)
    if own is None or not hasattr(native.CrmChanges, entity.upper()):
        raise TypeError(f"there is no entity {entity}")
    made = []
    for field, value in values.items():
        if field == "custom":
            made += [own.COMMON(native.CommonChange.CUSTOM(key, field_value(one))) for key, one in value.items()]
            continue
        case = getattr(own, field.upper(), None)
        if case is not None:
            made.append(case(_value(f"{name}{_title(field)}", value)))
        elif hasattr(native.CommonChange, field.upper()):
            made.append(own.COMMON(getattr(native.CommonChange, field.upper())(_value(_title(field), value))))
        else:
            raise TypeError(f"a {entity} has no field {field} that can be written")
    return typing.cast(native.CrmChanges, getattr(native.CrmChanges, entity.upper())(made))


def field_value(value: typing.Any) -> "native.FieldValue | None":
    """A value as it stands in conditions, conflicts, and fields that a company added."""
    if value is None or isinstance(value, native.FieldValue):
        return value
    for types, case in _CASES:
        if isinstance(value, types):
            return typing.cast(native.FieldValue, case(value))
    raise TypeError(f"a field cannot hold a {type(value).__name__}")


# A truth is a number too in Python, and a moment is a day: those come first.
_CASES: typing.Any = (
    (bool, native.FieldValue.YES_NO),
    (int, native.FieldValue.INTEGER),
    (decimal.Decimal, native.FieldValue.DECIMAL),
    (datetime.datetime, native.FieldValue.MOMENT),
    (datetime.date, native.FieldValue.DATE),
    (uuid.UUID, native.FieldValue.LINK),
    (str, native.FieldValue.TEXT),
    (native.Money, native.FieldValue.AMOUNT),
    (native.Period, native.FieldValue.DAYS),
    (native.TimeSpan, native.FieldValue.SPAN),
    (native.Address, native.FieldValue.PLACE),
    (native.PersonName, native.FieldValue.NAME),
    (native.GeoPoint, native.FieldValue.POSITION),
)


def _title(field: str) -> str:
    return "".join(word.title() for word in field.split("_"))


def _value(place: str, value: typing.Any) -> typing.Any:
    """A value as the generated classes take it; `place` is what those of rows begin with."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return value
    cells = getattr(native, f"{place}Change", None)
    if cells is None:
        are_links = any(isinstance(member, uuid.UUID) for member in value)
        return native.RecordSetEdit(add=list(value)) if are_links else native.TextSetEdit(add=list(value))
    added = [[getattr(cells, column.upper())(cell) for column, cell in row.items()] for row in value]
    # A log has entries and nothing else.
    edit = getattr(native, f"{place}Edit", None)
    return edit(add=added) if edit else added
