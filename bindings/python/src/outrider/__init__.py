"""An offline CRM: records are here, are written here, and are exchanged with the office when there is a network.

    with outrider.open("records") as crm:
        acme = crm.create(outrider.changes("customer", company_name="Acme"))
        for record in crm.each("customer"):
            print(record)

`native` is what is generated of the library: records, questions, reports, errors, what an app may bring (`Platform`).
Beside it here is what Python expects: `Crm` (pages, lists that stay up to date, Ctrl-C), `changes`, `rows`.
"""

from ._ending import look_after as _look_after
from ._polish import polish as _polish
from .native import outrider as _generated
from .native.outrider import *  # noqa: F403
from .native.outrider import DecimalNumber as DecimalNumber
from .native.outrider import LocalDate as LocalDate
from .native.outrider import RecordId as RecordId

_polish(_generated)
_look_after(_generated)

# They build on what was polished.
from .crm import Crm  # noqa: E402
from .crm import open as open  # noqa: E402
from .rows import as_dict, rows  # noqa: E402
from .watching import Watching  # noqa: E402
from .writing import changes, field_value  # noqa: E402

# `import *` takes no `open` along: Python has one of its own.
__all__ = [*_generated.__all__, "Crm", "Watching", "as_dict", "changes", "field_value", "rows"]
__version__ = _generated.version()
