"""What the generated classes lack in Python: to be shown, compared, matched, and errors that are sentences."""

import types
import typing


def polish(module: types.ModuleType) -> None:
    """Does it to all classes of the generated module."""
    for name in module.__all__:
        found = getattr(module, name)
        if not isinstance(found, type):
            continue
        cases = [case for case in vars(found).values() if isinstance(case, type) and issubclass(case, found)]
        if issubclass(found, Exception):
            for case in cases:
                setattr(case, "__str__", _sentence)
                setattr(case, "__repr__", _shown)
        elif cases:
            for case in cases:
                _value_class(case)
                if _takes_one_value(case):
                    setattr(case, "value", property(lambda self: self._values[0]))
                    setattr(case, "__match_args__", ("value",))
        elif "__dataclass_fields__" in vars(found):
            _value_class(found)


def _value_class(found: type) -> None:
    setattr(found, "__repr__", _shown)
    setattr(found, "__str__", _shown)
    setattr(found, "__eq__", _equals)


def _takes_one_value(case: type) -> bool:
    # The cases without names of their own can be indexed.
    return hasattr(case, "__getitem__")


def _sentence(self: typing.Any) -> str:
    return str(self.reason)


def _equals(self: object, other: object) -> bool:
    # What is generated fails on anything that is not of its class.
    return type(other) is type(self) and vars(other) == vars(self)


def _shown(self: typing.Any) -> str:
    """What has a value; the other forty fields of a customer only hide it."""
    name = type(self).__name__ if "." in type(self).__name__ else type(self).__qualname__
    values = getattr(self, "_values", None)
    if values is not None:
        return f"{name}({', '.join(map(repr, values))})"
    said = (f"{key}={value!r}" for key, value in vars(self).items() if value is not None and value not in ([], {}, ""))
    return f"{name}({', '.join(said)})"
