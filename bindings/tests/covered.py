"""Says which exports of the library, and which scenarios, a language's suite leaves untried.

    covered.py LANGUAGE GENERATED

Names come from the generated Python, where every export stands as it is, and from SCENARIOS.md. A call counts where
it stands in the sources of the suite, the view models or the package's own layer, outside of comments. It fails when
one is missing.
"""

import ast
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ENDINGS = {"python": ".py", "kotlin": ".kt", "swift": ".swift"}
# What UniFFI adds by itself.
OWN = re.compile(r"^_|^uniffi")


def exports(generated: pathlib.Path) -> tuple[dict[str, set[str]], set[str]]:
    """Methods by class (foreign interfaces too), and functions."""
    tree = ast.parse((generated / "python" / "outrider.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    methods = {}
    for name, node in classes.items():
        # Objects of the library have a protocol each, interfaces of the platform an implementation in Rust.
        owner = name.removesuffix("Protocol")
        if owner != name or f"{name}Impl" in classes:
            names = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
            methods[owner] = {name for name in names if not OWN.match(name)}
    return methods, {name for name in functions if not OWN.match(name)}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def sources(language: str) -> str:
    """Everything of a language, without comments."""
    folder = HERE.parent / language
    skipped = {".build", "build", "node_modules", "target"}
    texts = []
    for path in sorted(folder.rglob("*" + ENDINGS[language])):
        if skipped.isdisjoint(path.parts):
            texts.append(path.read_text())
    text = "\n".join(texts)
    if language == "python":
        return re.sub(r"(?m)#.*$", "", text)
    return re.sub(r"(?s:/\*.*?\*/)|(?m:(?<!:)//.*$)", "", text)


def untried(language: str, generated: pathlib.Path) -> list[str]:
    """Exports that nothing calls, and interfaces that nothing implements."""
    methods, functions = exports(generated)
    text = sources(language)
    spelt = (lambda name: name) if language == "python" else camel
    missing = []
    for name in sorted(functions):
        if not re.search(rf"\b{spelt(name)}\(", text):
            missing.append(name)
    for owner, names in sorted(methods.items()):
        for name in sorted(names):
            called = rf"(?:\.|\b(?:def|fun|func) `?){spelt(name)}`?\("
            # Kotlin calls a trailing function without parentheses, Swift and Kotlin hand methods over by name.
            if not re.search(called, text):
                missing.append(f"{owner}.{name}")
    return missing


def scenarios() -> list[str]:
    """Names in the first table of the list."""
    text = (HERE / "SCENARIOS.md").read_text().split("\n## ")[0]
    return re.findall(r"(?m)^\| `([a-z_]+)` \|", text)


def untold(language: str) -> list[str]:
    """Scenarios that the suite neither has nor lists as left out."""
    listed = subprocess.run([HERE.parent / language / "test", "--list"], capture_output=True, text=True, check=True)
    known = {re.sub("[^a-z]", "", name.lower()) for name in listed.stdout.split()}
    left_out = HERE.parent / language / "LEFT_OUT"
    if left_out.exists():
        lines = left_out.read_text().splitlines()
        known |= {re.sub("[^a-z]", "", line.split(":")[0].lower()) for line in lines}
    return [name for name in scenarios() if name.replace("_", "") not in known]


def main() -> int:
    language, generated = sys.argv[1], pathlib.Path(sys.argv[2])
    missing = [f"no test calls {name}" for name in untried(language, generated)]
    missing += [f"no test is named after {name}" for name in untold(language)]
    for line in missing:
        print(f"{language}: {line}")
    methods, functions = exports(generated)
    count = len(functions) + sum(map(len, methods.values()))
    print(f"{language}: {count} exports, {len(scenarios())} scenarios, {len(missing)} untried")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
