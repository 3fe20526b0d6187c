"""Puts figures of several languages beside one another.

    table.py FIGURES LIBRARY RECORDS

FIGURES holds a line of JSON for each: language, name, value, unit. The first language is what the others are compared
with.
"""

import gzip
import json
import pathlib
import sys

NAMES = {
    "call": "a call that does nothing much (is it locked?)",
    "get": "one record, all fields and what is computed",
    "first_list": "a list of 50, sorted",
    "open": "opening the store",
    "live_updates": "1,000 edits in a watched list, until the last is heard",
}


def main() -> None:
    lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
    figures = [json.loads(line) for line in lines]
    library = pathlib.Path(sys.argv[2]).read_bytes()
    languages = list(dict.fromkeys(figure["language"] for figure in figures))
    values = {(figure["language"], figure["name"]): figure for figure in figures}
    print(f"Library, stripped: {len(library) / 1e6:.1f} MB ({len(gzip.compress(library)) / 1e6:.1f} MB compressed). ", end="")
    print(f"Store: {int(sys.argv[3]):,} customers, encrypted.\n")
    print("| what | " + " | ".join(languages) + " |")
    print("|---" * (len(languages) + 1) + "|")
    for name, words in NAMES.items():
        cells = []
        first = values.get((languages[0], name))
        for language in languages:
            figure = values.get((language, name))
            if figure is None:
                cells.append("–")
                continue
            cell = f"{figure['value']:.3g} {figure['unit']}"
            if figure is not first and first and first["value"] > 0:
                cell += f" ({figure['value'] / first['value']:.1f} ×)"
            cells.append(cell)
        print(f"| {words} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
