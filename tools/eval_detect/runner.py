# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs `headgate classify --jsonl` over rows and counts."""

import json
import math
import os
import subprocess
import tempfile


def classify(binary, rows, config=None):
    """The rows with `sensitive`, `score`, `level`, `reasons`, in order."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "in"), os.path.join(folder, "out")
        with open(source, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        command = [binary, "classify", "--jsonl", source, result] + (["--config", config] if config else [])
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
        with open(result, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


def wilson(hits, count):
    """The 95 % interval of a share (Wilson 1927)."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


class Table:
    """Shares by name, printed with their intervals."""

    def __init__(self, title):
        self.title = title
        self.rows = {}

    def add(self, name, hit):
        row = self.rows.setdefault(name, [0, 0])
        row[0] += bool(hit)
        row[1] += 1

    def lines(self):
        yield self.title
        for name in sorted(self.rows):
            hits, count = self.rows[name]
            low, high = wilson(hits, count)
            yield f"  {name:<44} {hits:>6} / {count:<6} {hits / count:6.3f}  [{low:.3f}, {high:.3f}]"
