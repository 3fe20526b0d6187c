#!/usr/bin/env python3
"""Writes the types of the generated module, for editors and type checkers.

    stubs.py GENERATED/outrider.py FOLDER/outrider.pyi

The generated module says its types in the signatures of functions, and those of an enum's cases in the code that reads
them; what is optional it types as any object. Here each case is a class of its own with its values, and what is
optional is what it is. Nothing is imported: the library need not be there.
"""

import ast
import sys

HEAD = """# Made by stubs.py of the generated module; what the words mean stands there.
import datetime
import decimal
import enum
import typing
import uuid

Timestamp = datetime.datetime
RecordId = uuid.UUID
LocalDate = datetime.date
JsonText = str
DecimalNumber = decimal.Decimal

class InternalError(Exception): ...
"""
SIMPLE = {
    "String": "str",
    "Boolean": "bool",
    "Bytes": "bytes",
    "Timestamp": "datetime.datetime",
    "Float64": "float",
    **{sign + size: "int" for sign in ("Int", "UInt") for size in ("8", "16", "32", "64")},
}


def type_of(converter: str) -> str:
    """The type that a converter reads: `OptionalTypeRecordId` is `typing.Optional[RecordId]`."""
    for word, form in (("Optional", "typing.Optional[{}]"), ("Sequence", "typing.List[{}]")):
        if converter.startswith(word):
            return form.format(type_of(converter[len(word) :]))
    if converter.startswith("MapString"):
        return f"typing.Dict[str, {type_of(converter[len('MapString') :])}]"
    return SIMPLE.get(converter) or converter.removeprefix("Type")


def written(annotation: "ast.expr | None") -> str:
    """A type as it is meant: `Union[object, X]` stands for an X that may be left out."""
    if annotation is None:
        return "typing.Any"
    is_union = isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "typing.Union"
    if is_union and ast.unparse(annotation.slice.elts[0]) == "object":
        annotation = annotation.slice.elts[1]
    return ast.unparse(annotation)


def signature(function: ast.FunctionDef) -> str:
    args = function.args
    words = [arg.arg + (f": {written(arg.annotation)}" if index else "") for index, arg in enumerate(args.args)]
    for index in range(len(args.args) - len(args.defaults), len(args.args)):
        words[index] += " = ..."
    if args.kwonlyargs:
        words.append("*")
    for arg, default in zip(args.kwonlyargs, args.kw_defaults):
        words.append(f"{arg.arg}: {written(arg.annotation)}" + (" = ..." if default else ""))
    # A class method that opens gives one of its own class.
    gives = "typing.Self" if is_class_method(function) else written(function.returns)
    gives = "None" if function.name == "__init__" else gives
    return f"def {function.name}({', '.join(words)}) -> {gives}: ..."


def is_class_method(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator) == "classmethod" for decorator in function.decorator_list)


def methods(node: ast.ClassDef) -> list:
    return [
        item
        for item in node.body
        if isinstance(item, ast.FunctionDef) and (item.name == "__init__" or not item.name.startswith("_"))
    ]


def plain(node: ast.ClassDef) -> list:
    """A record, an object, or an interface that an app brings."""
    bases = [ast.unparse(base) for base in node.bases if not ast.unparse(base).endswith("Protocol")]
    lines = [f"class {node.name}({', '.join(bases)}):" if bases else f"class {node.name}:"]
    for method in methods(node):
        if method.name == "__init__":
            for arg in method.args.kwonlyargs:
                lines.append(f"    {arg.arg}: {written(arg.annotation)}")
            if method.args.vararg:
                continue
        if is_class_method(method):
            lines.append("    @classmethod")
        lines.append(f"    {signature(method)}")
    return lines if len(lines) > 1 else [lines[0] + " ..."]


def choices(node: ast.ClassDef) -> list:
    names = [item.targets[0].id for item in node.body if isinstance(item, ast.Assign)]
    return [f"class {node.name}(enum.Enum):", *(f"    {name} = ..." for name in names)]


def cases(node: ast.ClassDef, converter: ast.ClassDef) -> list:
    """An enum whose cases hold values: each is a class, and one of the enum's."""
    lines = [f"class {node.name}:"]
    read: dict = {}
    named: dict = {}
    for call in (item for item in ast.walk(converter) if isinstance(item, ast.Call)):
        name = ast.unparse(call.func)
        if name.startswith(f"{node.name}."):
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            read[name.split(".")[1]] = [type_of(str(value.func.value.id).split("Converter")[1]) for value in values]
    for case in (item for item in node.body if isinstance(item, ast.ClassDef)):
        init = next((item for item in case.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
        types = read.get(case.name, [])
        lines.append(f"    class {case.name}({node.name}):")
        if init is not None and init.args.vararg is None:
            names = [arg.arg for arg in (*init.args.args[1:], *init.args.kwonlyargs)]
            lines += [f"        {name}: {ty}" for name, ty in zip(names, types)]
            for name, ty in zip(names, types):
                named.setdefault(name, []).append(ty)
            args = "".join(f", {name}: {ty}" for name, ty in zip(names, types))
        else:
            args = "".join(f", value{index or ''}: {ty}, /" for index, ty in enumerate(types))
            lines.append('        __match_args__ = ("value",)')
            lines.append(f"        value: {types[0]}")
        lines.append(f"        def __init__(self{args}) -> None: ...")
    for name, types in named.items():
        if len(types) == len(read):
            # What each case has can be asked of any.
            lines.insert(1, f"    {name}: typing.Union[{', '.join(types)}]")
    for case in read:
        lines.append(f"    def is_{case}(self) -> bool: ...")
    return lines


def errors(node: ast.ClassDef) -> list:
    """An error with its cases; what all of them say can be asked of any."""
    kinds = [item for item in node.body if isinstance(item, ast.ClassDef)]
    said = {kind.name: [arg.arg for arg in kind.body[1].args.args[1:]] for kind in kinds}
    shared = set.intersection(*(set(names) for names in said.values()))
    lines = [f"class {node.name}(Exception):", *(f"    {name}: str" for name in sorted(shared))]
    more = {"field": "typing.Optional[str]", "fields": "typing.List[str]", "sent": "typing.Optional[int]"}
    for kind, names in said.items():
        args = ", ".join(f"{name}: {more.get(name, 'str')}" for name in names)
        lines.append(f"    class {kind}({node.name}):")
        lines += [f"        {name}: {more.get(name, 'str')}" for name in names if name not in shared]
        lines.append(f"        def __init__(self, {args}) -> None: ...")
    return lines


def stub(source: str) -> str:
    module = ast.parse(source)
    classes = [item for item in module.body if isinstance(item, ast.ClassDef)]
    by_name = {node.name: node for node in classes}
    exported = next(
        ast.literal_eval(item.value)
        for item in module.body
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "__all__"
    )
    # What the others are made with is no one's business.
    exported = [name for name in exported if not name.endswith(("Protocol", "Impl"))]
    lines = [HEAD]
    for node in by_name.values():
        converter = by_name.get(f"_UniffiFfiConverterType{node.name}")
        has_cases = any(isinstance(item, ast.ClassDef) for item in node.body)
        if node.name == "InternalError" or node.name.startswith("_") or node.name.endswith(("Protocol", "Impl")):
            continue
        if node.name.endswith("Error"):
            lines += errors(node)
        elif any(ast.unparse(base) == "enum.Enum" for base in node.bases):
            lines += choices(node)
        elif has_cases:
            lines += cases(node, converter)
        else:
            lines += plain(node)
    for item in module.body:
        if isinstance(item, ast.FunctionDef) and item.name in exported:
            lines.append(signature(item))
    lines.append(f"__all__ = {exported!r}")
    return "\n".join(lines) + "\n"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        text = stub(file.read())
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
