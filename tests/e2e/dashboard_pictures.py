#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the dashboards' data: dashboard_pictures.py BINARIES FOLDER. The programs run for a minute under a load
that changes, a real Prometheus scrapes them, and every panel's queries are drawn as FOLDER/dashboard-NAME.svg."""

import html
import json
import pathlib
import sys
import threading
import time
import urllib.parse
import urllib.request

import monitoring_test
import world

COLOURS = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f"]
SECONDS, WIDTH, HEIGHT, COLUMNS = 75, 400, 210, 3


def load(address, seconds):
    """Requests in waves from six threads, a third of them sensitive."""
    until = time.monotonic() + seconds

    def work(number):
        count = number
        while time.monotonic() < until:
            monitoring_test.ask(address, world.PATIENT if count % 3 == 0 else f"{world.EVERYDAY} {count % 40}")
            count += 1
            wave = 1 + int((until - time.monotonic()) / 15) % 3
            threading.Event().wait(0.06 * wave)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def series(prometheus, query, begin, end, legend):
    url = f"http://{prometheus}/api/v1/query_range?" + urllib.parse.urlencode(
        {"query": query, "start": begin, "end": end, "step": 1})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        for one in json.load(answer)["data"]["result"]:
            name = legend
            for label, value in one["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            yield name, [(at, float(value)) for at, value in one["values"] if value not in ("NaN", "+Inf")]


def number(value):
    return f"{value:.3g}"


def draw(panel, lines, begin, end):
    """One panel as SVG, its upper left corner at 0, 0."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    most = max([value for _, points in lines for _, value in points] + [1e-9]) * 1.1
    left, top, wide, high = 46, 30, WIDTH - 60, HEIGHT - 80
    out = [f'<text x="8" y="18" class="t">{html.escape(panel["title"])} ({unit})</text>',
           f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" class="f"/>']
    for share in (0, 0.5, 1):
        y = top + high * (1 - share)
        out.append(f'<text x="{left - 4}" y="{y + 4:.0f}" class="n">{number(most * share)}</text>')
    for index, (name, points) in enumerate(lines[:8]):
        colour = COLOURS[index]
        path = " ".join(f"{left + wide * (at - begin) / (end - begin):.1f},{top + high * (1 - value / most):.1f}"
                        for at, value in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x, y = left + (index % 2) * wide / 2, top + high + 14 + (index // 2) * 11
        out.append(f'<text x="{x:.0f}" y="{y:.0f}" class="l" fill="{colour}">{html.escape(name[:34])}</text>')
    return "".join(out)


def main():
    binaries, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    monitoring_test.BINARIES = binaries
    case = monitoring_test.MonitoringTest
    case.setUpClass()
    try:
        begin = time.time()
        load(case.world.http, SECONDS)
        end = time.time()
        for path in sorted((monitoring_test.ROOT / "monitoring/dashboards").glob("*.json")):
            dashboard, cells = json.loads(path.read_text()), []
            for index, panel in enumerate(dashboard["panels"]):
                lines = [one for target in panel["targets"] for one in series(
                    case.prometheus, target["expr"].replace("$__rate_interval", "10s").replace("$namespace", ".*"),
                    begin + 5, end, target["legendFormat"])]
                x, y = index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT + 24
                cells.append(f'<g transform="translate({x},{y})">{draw(panel, lines, begin + 5, end)}</g>')
            high = (len(dashboard["panels"]) + COLUMNS - 1) // COLUMNS * HEIGHT + 30
            (folder / f"dashboard-{path.stem}.svg").write_text(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" height="{high}">'
                "<style>text{font:11px sans-serif}.t{font-weight:bold;font-size:12px}.n{text-anchor:end;fill:#666}"
                '.f{fill:none;stroke:#ccc}.l{font-size:9px}</style><rect width="100%" height="100%" fill="#fff"/>'
                f'<text x="8" y="16" class="t">{html.escape(dashboard["title"])}</text>'
                + "\n".join(cells) + "</svg>\n")
            print(path.stem)
    finally:
        case.doClassCleanups()


if __name__ == "__main__":
    main()
