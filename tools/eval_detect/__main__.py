# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""How well the detection of a built `headgate` does: recall by kind, language and evasion, false positives by source,
with Wilson 95 % intervals; an HTML report with the worst errors. `./dev eval-detect` calls it.

Development and dev-test files were read while rules and models were made (docs/detection.md says when); held-out ones
only by this program.
"""

import argparse
import glob
import html
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))

from evasions import ENCODINGS, NUMERALS, PLACES, SPELLINGS  # noqa: E402
from identifiers import DIGITS_ONLY, KINDS, NEUTRAL  # noqa: E402
from runner import Table, classify  # noqa: E402
from select_data import FILES, bucket  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SEED = 20261122
PARTS = {"heldout": "held-out", "heldout2": "held-out 2", "heldout12": "held-out 12", "heldout13": "held-out 13",
         **{f"devtest{i}": "dev-test" for i in ["", *range(2, 7)]},
         **{f"devtest{i}": f"dev-test {i}" for i in range(7, 12)},
         **{f"heldout{i}": f"once held-out {i}" for i in range(3, 12)}}


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def golden():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "detection", "*.jsonl"))):
        name = os.path.basename(path)[:-6]
        for row in load(path):
            part = PARTS.get(name.split("_")[0], "development")
            yield dict(row, source=name, part=part)


def shared(folder):
    """The rows of the shared data that were not trained on."""
    for name, share, group, _ in FILES:
        path = os.path.join(folder, name)
        for row in load(path) if os.path.exists(path) else []:
            if row["lang"] not in ("zh", "en") or bucket(row["text"]) < share:
                continue
            grey = row["kind"] == "health_selfreport_grey"
            yield {
                "text": row["text"],
                "lang": row["lang"],
                "kind": row["kind"],
                "label": row["label"],
                "group": "grey" if grey else "positive" if row["label"] else group,
                "source": row["source"],
                "part": "shared, not trained on",
            }


def spelled(name, kind, value, r):
    return SPELLINGS[name](value, r) if name else value


def evaded(per_pair):
    """Identifiers in frames: plain, each evasion, pairs of evasions; wrong check digits; frames without a value."""
    r = random.Random(SEED)
    pairs = [(a, b) for a in SPELLINGS for b in SPELLINGS if a != b and (a not in ENCODINGS or b in ENCODINGS)]
    for kind, (make, checked, frames) in KINDS.items():

        def row(value, evasion, place, lang, label=1, kind=kind):
            frame = r.choice((frames if label else NEUTRAL)[lang])
            text = frame.replace("{}", value)
            return {
                "messages": PLACES[place](value, text, r),
                "kind": kind,
                "lang": lang,
                "label": label,
                "checked": checked,
                "evasion": evasion,
                "place": place,
            }

        for lang in ("zh", "en"):
            for _ in range(20):
                yield row(make(r), "plain", "plain", lang)
            for place in PLACES:
                for _ in range(3):
                    yield row(make(r), "plain", place, lang)
            for name in SPELLINGS:
                if kind not in DIGITS_ONLY and name in NUMERALS:
                    continue
                for _ in range(3):
                    value = make(r)
                    if spelled(name, kind, value, r) != value:
                        yield row(spelled(name, kind, value, r), name, "plain", lang)
                value = make(r)
                for place in r.sample(sorted(PLACES), 3):
                    if spelled(name, kind, value, r) != value and place != "after_100000":
                        yield row(spelled(name, kind, value, r), name, place, lang)
            for a, b in pairs:
                if kind not in DIGITS_ONLY and (a in NUMERALS or b in NUMERALS):
                    continue
                for _ in range(per_pair):
                    value = make(r)
                    once = SPELLINGS[a](value, r)
                    twice = SPELLINGS[b](once, r)
                    if once != value and twice != once:
                        yield row(twice, f"{a}+{b}", "plain", lang)
            if checked and kind not in ("api_key",):
                for _ in range(20):
                    yield row(make(r, good=False), "wrong check digit", "plain", lang, label=0)
            for frame in frames[lang]:
                yield {
                    "messages": PLACES["plain"]("", frame.replace("{}", ""), r),
                    "kind": kind,
                    "lang": lang,
                    "label": 0,
                    "checked": checked,
                    "evasion": "no value",
                    "place": "plain",
                }


def report_prompts(rows, out):
    parts = sorted({row["part"] for row in rows})
    for part in parts:
        of_part = [row for row in rows if row["part"] == part]
        recall, kinds = Table(f"{part}: recall"), Table(f"{part}: recall by kind")
        wrong, sources = Table(f"{part}: false positives"), Table(f"{part}: false positives by source and kind")
        grey = Table(f"{part}: grey prompts kept local (not gated)")
        for row in of_part:
            group = row.get("group", "positive" if row["label"] else "ordinary")
            if group == "grey":
                grey.add(f"{row['lang']} {row['kind']}", row["sensitive"])
            elif row["label"]:
                recall.add(row["lang"], row["sensitive"])
                kinds.add(f"{row['lang']} {row['kind']}", row["sensitive"])
            else:
                wrong.add(f"{row['lang']} {group}", row["sensitive"])
                sources.add(f"{row['source']} {group} {row['kind']}", row["sensitive"])
        for table in (recall, kinds, wrong, sources, grey):
            out.extend(table.lines() if table.rows else [])


def report_evasions(rows, out):
    single, pairs, places = Table("evasions, alone, by language"), Table("evasions, in pairs, by kind"), Table("places")
    kinds, negatives = Table("identifiers, all evasions, by kind"), Table("false positives on look-alikes")
    weakest = {}
    for row in rows:
        name = f"{row['lang']} {row['kind']}"
        if not row["label"]:
            negatives.add(f"{row['evasion']}: {name}", row["sensitive"])
            continue
        kinds.add(name, row["sensitive"])
        if "+" in row["evasion"]:
            pairs.add(row["kind"], row["sensitive"])
            if not row["sensitive"]:
                weakest[row["evasion"]] = weakest.get(row["evasion"], 0) + 1
        else:
            single.add(f"{row['evasion']} {row['lang']}", row["sensitive"])
            places.add(row["place"], row["sensitive"])
    for table in (single, places, pairs, kinds, negatives):
        out.extend(table.lines())
    out.append("pairs that were missed most")
    out.extend(f"  {name:<44} {count}" for name, count in sorted(weakest.items(), key=lambda x: -x[1])[:25])


def text_of(row):
    texts = [row["text"]] if "text" in row else []
    for message in row.get("messages", []):
        texts.append(f"{message['role']}: {message.get('content')}")
        texts += [str(call["function"].get("arguments")) for call in message.get("tool_calls") or []]
    return "\n".join(texts)


def write_html(path, prompts, identifiers, lines):
    """Errors only of prompts that may be read; of the held-out ones just their ids."""

    def item(row):
        held_out = row.get("part", "").startswith("held-out")
        reasons = ", ".join(f"{reason['type']} {reason.get('score', 1):.2f}" for reason in row["reasons"])
        text = "(held out)" if held_out else text_of(row)[:1500]
        head = " · ".join(
            str(row.get(key, "")) for key in ("part", "source", "id", "lang", "kind", "group", "evasion", "place")
        )
        return f"<h3>{html.escape(head)}</h3><p>{html.escape(reasons)}</p><pre>{html.escape(text)}</pre>"

    gated = [row for row in prompts if row.get("group") != "grey"]
    missed = sorted((row for row in gated if row["label"] and not row["sensitive"]), key=lambda row: row["score"])
    wrong = sorted((row for row in gated if not row["label"] and row["sensitive"]), key=lambda row: -row["score"])
    evaded_rows = [row for row in identifiers if row["label"] != row["sensitive"]]
    with open(path, "w", encoding="utf-8") as f:
        f.write(
            "<!doctype html><meta charset=utf-8><title>Detection</title>"
            "<style>body{font:15px sans-serif;"
            "max-width:70em;margin:2em auto}pre{white-space:pre-wrap;"
            "background:#f4f4f4;padding:.6em}h3{font-size:1em;margin-bottom:0}"
            "</style><h1>Detection</h1>"
        )
        f.write(f"<pre>{html.escape(chr(10).join(lines))}</pre>")
        for title, rows, limit in (
            ("Missed", missed, 200),
            ("Kept local without need", wrong, 200),
            ("Identifiers", evaded_rows, 100),
        ):
            f.write(f"<h2>{title}: {len(rows)}</h2>" + "".join(map(item, rows[:limit])))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "dev", "bin", "headgate"))
    parser.add_argument("--data", help="folder of the shared sensitivity data")
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "eval-detect"))
    parser.add_argument("--config", help="a router's configuration; without it, the defaults")
    parser.add_argument("--per-pair", type=int, default=1, help="identifiers a kind, language and pair of evasions")
    parser.add_argument("--skip", choices=["prompts", "evasions"])
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    prompts = list(golden()) + (list(shared(options.data)) if options.data else [])
    prompts = classify(options.bin, prompts, options.config) if options.skip != "prompts" else []
    identifiers = (
        classify(options.bin, list(evaded(options.per_pair)), options.config) if options.skip != "evasions" else []
    )
    lines = []
    report_prompts(prompts, lines)
    if identifiers:
        report_evasions(identifiers, lines)
    print("\n".join(lines))
    write_html(os.path.join(options.out, "report.html"), prompts, identifiers, lines)
    with open(os.path.join(options.out, "errors.jsonl"), "w", encoding="utf-8") as f:
        for row in prompts + identifiers:
            if row["label"] != row["sensitive"] and not row.get("part", "").startswith("held-out"):
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"report: {os.path.relpath(os.path.join(options.out, 'report.html'))}")


if __name__ == "__main__":
    main()
