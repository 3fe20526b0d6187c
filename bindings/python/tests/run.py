"""Runs the suite, and says at the end how many passed; `--list` prints the scenarios that it covers."""

import os
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).parent


def scenarios() -> "list[str]":
    """The names of SCENARIOS.md of which there is a test: `test_NAME`, with anything behind it."""
    table = (HERE / "../../tests/SCENARIOS.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)
    tests = [
        name
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
    ]
    return [name for name in names if any(test == f"test_{name}" or test.startswith(f"test_{name}_") for test in tests)]


class Counted(unittest.TextTestResult):
    """A result that counts what passed."""

    passed = 0

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.passed += 1


def chosen(suite: unittest.TestSuite, words: "list[str]") -> unittest.TestSuite:
    found = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            found.addTests(chosen(test, words))
        elif not words or any(word in test.id() for word in words):
            found.addTest(test)
    return found


def main() -> int:
    if sys.argv[1:] == ["--list"]:
        print("\n".join(scenarios()))
        return 0
    suite = chosen(unittest.defaultTestLoader.discover(str(HERE)), sys.argv[1:])
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Counted).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    print(f"python: {result.passed} passed, {failed} failed", flush=True)
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    # Threads of listeners that never return must not keep the process; nothing is left to be done.
    status = main()
    sys.stdout.flush()
    os._exit(status)
