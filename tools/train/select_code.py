# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Selects pieces of free source code, configuration and documentation as ordinary text for the topic model, by the
hash of each piece. Its result is checked in (data/code.jsonl); data/SOURCES.md names the sources and their licences.

    python3 tools/train/select_code.py OUT NAME=FOLDER:ENDING,ENDING:PIECES ...
"""

import hashlib
import json
import os
import re
import sys

# No piece that could be taken for what the model must find, or that names anybody.
NOT_IN_IT = re.compile(
    r"@[\w-]+\.|\d{7}|passw|secret|credential|api.?key|bearer|private.key|confidential|copyright"
    r"|licen[sc]e|author|huggingface|patient|diagnos|salary|\btoken\b.{0,3}[=:]|[A-Za-z0-9+/=_-]{36}|\b(Mr|Mrs|Dr)\b",
    re.I,
)
LEFT_OUT = ("build", ".git", "weights", "golden", "train", "site-packages", "testdata")
ASKED = {
    "en": ["", "", "", "Explain this:\n", "Why does this fail?\n", "Review please:\n", "Add comments:\n", "Shorter?\n"],
    "zh": ["", "解释一下这段：\n", "这里为什么报错？\n", "帮我改得简洁点\n", "加上注释：\n"],
}


def number(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def pieces(path):
    """Runs of 2 to 24 lines, at most 640 characters."""
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = f.read(200_000).split("\n")
    at = 0
    while at < len(lines):
        count = 2 + number(f"{at} {lines[at]}") % 23
        piece = "\n".join(lines[at : at + count]).strip("\n")[:640]
        at += count
        if len(piece) >= 60 and "\ufffd" not in piece and not NOT_IN_IT.search(piece):
            yield piece


def files(folder, endings):
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in LEFT_OUT)
        for name in sorted(names):
            if name.rsplit(".", 1)[-1] in endings:
                yield os.path.join(where, name)


def select(folder, endings, count):
    """A few of each file, those with the smallest hashes."""
    found = set()
    for path in files(folder, endings):
        found.update(sorted(set(pieces(path)), key=number)[:4])
    return sorted(found, key=number)[:count]


def row(piece, source):
    lang = "zh" if number(piece) % 4 == 0 else "en"
    asked = ASKED[lang][number(source + piece) % len(ASKED[lang])]
    return {
        "text": asked + piece,
        "label": 0,
        "lang": lang,
        "kind": "code",
        "group": "ordinary",
        "source": source,
    }


def main():
    out, *sources = sys.argv[1:]
    with open(out, "w", encoding="utf-8") as f:
        for source in sources:
            name, _, rest = source.partition("=")
            folder, endings, count = rest.rsplit(":", 2)
            for piece in select(folder, set(endings.split(",")), int(count)):
                f.write(json.dumps(row(piece, name), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
