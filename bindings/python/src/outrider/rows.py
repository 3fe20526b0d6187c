"""Records as dictionaries, and as rows of a table: `pandas.DataFrame(rows(crm.each("customer")))`."""

import typing

from .native import Address, CrmRecord, FieldValue, Money, OtherRecord, Period, PersonName, TimeSpan

# Values of several parts, of which a table has a column each.
PARTS = (Address, Period, PersonName, TimeSpan)


def as_dict(record: typing.Any) -> "dict[str, typing.Any]":
    """A record by field, with its `entity` and `id`, its custom fields, and what is computed for it.

    Values are as the record has them; rows are dictionaries too.
    """
    if not isinstance(record, CrmRecord):
        return {name: _plain(value) for name, value in vars(record).items()}
    inner: typing.Any = getattr(record, "record")
    if isinstance(inner, OtherRecord):
        return {"entity": inner.entity, "id": inner.id, **_plain(inner.values)}
    values = {"entity": type(record).__name__.split(".")[-1].lower(), **vars(inner)}
    common, computed = vars(values.pop("common")), values.pop("computed")
    custom = common["custom"]
    values.update({name: value for name, value in common.items() if name != "custom"})
    values.update(computed)
    values.update(custom)
    return {name: _plain(value) for name, value in values.items()}


def rows(records: "typing.Iterable[typing.Any]") -> "list[dict[str, typing.Any]]":
    """Rows with a column for each single value: of an amount its number and, as `…_currency`, its currency; of an
    address its city as `…_city`, and so on."""
    return [_flat(as_dict(record)) for record in records]


def _plain(value: typing.Any) -> typing.Any:
    if isinstance(value, FieldValue):
        return _plain(getattr(value, "value"))
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if hasattr(value, "row"):
        return as_dict(value)
    return value


def _flat(values: "dict[str, typing.Any]") -> "dict[str, typing.Any]":
    flat: dict[str, typing.Any] = {}
    for name, value in values.items():
        if isinstance(value, Money):
            flat[name], flat[f"{name}_currency"] = value.amount, value.currency
        elif isinstance(value, PARTS):
            flat.update({f"{name}_{part}": member for part, member in vars(value).items()})
        elif hasattr(value, "latitude"):
            flat[f"{name}_latitude"], flat[f"{name}_longitude"] = value.latitude, value.longitude
        else:
            flat[name] = value
    return flat
