# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Selects the part of the shared developer data that is trained on: by the hash of a text, so that the other part stays
unseen. Its result is checked in (data/public.jsonl and data/public_health.jsonl); data/SOURCES.md names the sources.

    python3 tools/train/select_data.py DATA_FOLDER OUT_FOLDER
"""

import hashlib
import json
import os
import sys

# (file, rows of each 100 by hash that are trained on, group of the negatives, result)
FILES = [
    ("en_presidio_synth_v2.jsonl", 50, "ordinary", "public"),
    ("en_presidio_generated_large.jsonl", 50, "ordinary", "public"),
    ("multi_pii_anon_legal.jsonl", 12, "ordinary", "public"),
    ("en_wnut17_entities.jsonl", 25, "ordinary", "public"),
    ("en_seed_tasks.jsonl", 50, "ordinary", "public"),
    ("zh_belle_seed_tasks.jsonl", 50, "ordinary", "public"),
    ("en_mts_dialog_health.jsonl", 34, "ordinary", "public_health"),
    ("zh_toyhom_health.jsonl", 50, "hard_negative", "public_health"),
]
KINDS = {"health_record": "patient_record"}
TYPES = {"PERSON": "PERSON", "ADDRESS": "ADDRESS"}


def bucket(text):
    """0..99, the same for every run: eval_detect reports the rows at or above a file's share."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100


def convert(row, group):
    text = row["text"]
    out = {
        "text": text,
        "label": row["label"],
        "lang": row["lang"],
        "kind": KINDS.get(row["kind"], row["kind"]),
        "group": "positive" if row["label"] else group,
        "source": row["source"],
    }
    if "spans" in row and row["kind"] != "entity_layer":  # those name everybody: no label of private persons

        def at(i):
            return len(text[:i].encode())

        out["spans"] = [[at(b), at(e), TYPES[t]] for b, e, t in row["spans"] if t in TYPES]
    return out


def main():
    folder, out_folder = sys.argv[1:]
    outs = {}
    for name, share, group, result in FILES:
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        for row in rows:
            if (
                row["kind"] == "health_selfreport_grey"
                or row["lang"] not in ("zh", "en")
                or bucket(row["text"]) >= share
            ):
                continue
            outs.setdefault(result, []).append(convert(row, group))
    for result, rows in outs.items():
        with open(os.path.join(out_folder, result + ".jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
