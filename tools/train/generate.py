# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Generates labelled prompts from templates/*.txt and lexicon.py: JSON lines with byte spans of names.
Same seed, same bytes.

python3 tools/train/generate.py OUT [--seed N] [--positive 24] [--negative 40]
"""

import argparse
import json
import os
import random
import re

import figures
import lexicon

HERE = os.path.dirname(os.path.abspath(__file__))
TOKEN = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]|\{([a-z0-9]+)\}|(\\n)")
# Around positives and negatives alike, so that they say nothing.
OPENING = {
    "zh": [
        "",
        "",
        "",
        "",
        "",
        "帮我看看：",
        "请问，",
        "麻烦",
        "你好，",
        "急！",
        "请帮忙：",
        "下面这段话，",
        "老师好，",
        "1. ",
        "Q：",
        "我想问一下，",
        "【求助】",
    ],
    "en": [
        "",
        "",
        "",
        "",
        "",
        "Hi, ",
        "Please help: ",
        "Hello! ",
        "Quick question - ",
        "Can you help? ",
        "Task: ",
        "hey ",
        "See below.\n",
        "Q: ",
    ],
}
CLOSING = {
    "zh": [
        "",
        "",
        "",
        "",
        "",
        "谢谢",
        "。",
        "，谢谢！",
        "，越快越好",
        "\n简短点",
        "，用表格",
        "？",
        "，不要太长",
        "（中文回答）",
    ],
    "en": [
        "",
        "",
        "",
        "",
        "",
        " Thanks",
        " Thank you!",
        ".",
        " Keep it short.",
        " ASAP please",
        "\nAnswer in bullet points.",
        " (in English)",
        "?",
    ],
}


class Text:
    """Text with byte offsets of the spans in it."""

    def __init__(self):
        self.data = b""
        self.spans = []

    def add(self, text, kind=None):
        begin = len(self.data)
        self.data += text.encode()
        if kind:
            self.spans.append([begin, len(self.data), kind])

    def add_text(self, other):
        self.spans += [[b + len(self.data), e + len(self.data), k] for b, e, k in other.spans]
        self.data += other.data


def expand(template, slots, r, out):
    at = 0
    for match in TOKEN.finditer(template):
        out.add(template[at : match.start()])
        at = match.end()
        if match.group(1) is not None:
            expand(r.choice(match.group(1).split("|")), slots, r, out)
        elif match.group(3):
            out.add("\n")
        elif match.group(2) in slots:
            value = slots[match.group(2)](r)
            out.add(*value) if isinstance(value, tuple) else out.add(value)
        else:
            out.add(match.group())
    out.add(template[at:])


def innermost(template, r):
    """Nested choices, resolved from within."""
    pattern = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
    while (match := pattern.search(template)) is not None:
        template = template[: match.start()] + r.choice(match.group(1).split("|")) + template[match.end() :]
    return template


def templates(lang, sign):
    kind = group = None
    with open(os.path.join(HERE, "templates", f"{lang}_{sign}.txt"), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("## "):
                kind, _, group = line[3:].partition(" ")
            elif line and not line.startswith("# "):
                yield kind, group or "positive", line


def make(template, lang, r):
    slots = lexicon.ZH if lang == "zh" else lexicon.EN
    text = Text()
    text.add(r.choice(OPENING[lang]))
    expand(innermost(template, r), slots, r, text)
    text.add(r.choice(CLOSING[lang]))
    return text


def in_json(text, r):
    """In strings of JSON in strings of JSON: quotes and backslashes say nothing either."""
    ascii_only = r.random() < 0.3
    for _ in range(r.randint(1, 3)):
        key = r.choice(["text", "payload", "content", "message", "data", "body"])
        text = json.dumps({key: text}, ensure_ascii=ascii_only)
    return text


def document(template, kind, group, sign, lang, plain, r):
    text = make(template, lang, r)
    if r.random() < 0.18:  # among other things that are not sensitive
        before, after = Text(), Text()
        if r.random() < 0.7:
            before = make(r.choice(plain), lang, r)
            before.add("\n")
        before.add_text(text)
        if r.random() < 0.7:
            after.add("\n")
            after.add_text(make(r.choice(plain), lang, r))
        before.add_text(after)
        text = before
    row = {
        "text": text.data.decode(),
        "label": int(sign.endswith("positive")),
        "lang": lang,
        "kind": kind,
        "group": group,
        "spans": text.spans,
    }
    if r.random() < 0.06:
        row["text"] = in_json(row["text"], r)
        del row["spans"]
    return row


def documents(seed, positive, negative):
    for lang in ("zh", "en"):
        r = random.Random(f"{seed}-{lang}")
        plain = [t for sign in ("negative", "prompts_negative") for _, _, t in templates(lang, sign)]
        runs = (
            ("positive", positive),
            ("negative", negative),
            ("prompts_positive", positive // 2),
            ("prompts_negative", negative // 3),
        )
        for sign, count in runs:
            for kind, group, template in templates(lang, sign):
                for _ in range(count):
                    yield document(template, kind, group, sign, lang, plain, r)


def topic_documents(seed, positive, negative):
    """Last, with a seed of their own and without spans: new ones leave the name tagger as it is."""
    for lang in ("zh", "en"):
        r = random.Random(f"{seed}-topic-{lang}")
        plain = [t for sign in ("negative", "prompts_negative", "topic_negative") for _, _, t in templates(lang, sign)]
        for sign, count in (("topic_positive", positive // 2), ("topic_negative", negative // 3)):
            for kind, group, template in templates(lang, sign):
                for _ in range(count):
                    row = document(template, kind, group, sign, lang, plain, r)
                    row.pop("spans", None)
                    yield row


def figure_documents(seed, count):
    """After the rest and without spans, for the same reason."""
    for lang in ("zh", "en"):
        r = random.Random(f"{seed}-figures-frame-{lang}")
        for text in figures.rows(lang, count, seed):
            framed = r.choice(OPENING[lang]) + text + r.choice(CLOSING[lang])
            yield {"text": framed, "label": 0, "lang": lang, "kind": "figures", "group": "ordinary"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--positive", type=int, default=24)
    parser.add_argument("--negative", type=int, default=40)
    parser.add_argument("--figures", type=int, default=5000)
    options = parser.parse_args()
    with open(options.out, "w", encoding="utf-8") as f:
        for rows in (
            documents(options.seed, options.positive, options.negative),
            topic_documents(options.seed, options.positive, options.negative),
            figure_documents(options.seed, options.figures),
        ):
            for row in rows:
                f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
