# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboards' and rules' form; and promtool's own tests of the rules where there is a promtool."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

try:
    import yaml
except ImportError:
    print("SKIPPED: no PyYAML (package python3-yaml)")
    raise SystemExit(77) from None

ROOT = pathlib.Path(__file__).resolve().parents[3]
DASHBOARDS = sorted((ROOT / "monitoring/dashboards").glob("*.json"))
COUNTER = re.compile(r"\b[a-z_:]+_total\b")
SAFE = re.compile(r"(rate|increase)\([^()]*$")
# A leak is counted from the first one on: increase() does not see a series that begins at 1.
WHOLE = "decided for the cloud"


def panels():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield path.stem, panel


class DashboardsTest(unittest.TestCase):
    def test_all_are_there(self):
        self.assertEqual([path.stem for path in DASHBOARDS], ["autoscaling", "engines", "money", "overview", "safety"])

    def test_every_panel_says_what_it_is(self):
        for name, panel in panels():
            with self.subTest(dashboard=name, panel=panel.get("title")):
                self.assertTrue(panel["title"] and len(panel["description"]) > 15)
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")
                self.assertTrue(panel["targets"])
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"]["uid"], "${datasource}")
                    self.assertTrue(target["legendFormat"])

    def test_queries(self):
        for name, panel in panels():
            for target in panel["targets"]:
                with self.subTest(dashboard=name, panel=panel["title"]):
                    text = target["expr"]
                    self.assertEqual(text.count("{"), text.count('namespace=~"$namespace"'), "selects namespaces")
                    for rate in re.findall(r"\b(?:rate|increase)\([^)]*?\[(.*?)\]", text):
                        self.assertEqual(rate, "$__rate_interval")
                    for counter in COUNTER.finditer(text):
                        if WHOLE not in panel["title"]:
                            self.assertRegex(text[:counter.start()], SAFE, "a counter only under a rate")

    def test_ratios_are_never_summed_over_pods(self):
        for name, panel in panels():
            if panel["fieldConfig"]["defaults"]["unit"].startswith("percent"):
                for target in panel["targets"]:
                    with self.subTest(dashboard=name, panel=panel["title"]):
                        self.assertTrue(not target["expr"].startswith("sum") or "/" in target["expr"])

    def test_form(self):
        for path in DASHBOARDS:
            with self.subTest(dashboard=path.stem):
                dashboard = json.loads(path.read_text())
                self.assertFalse(dashboard["editable"])
                self.assertEqual([one["name"] for one in dashboard["templating"]["list"]], ["datasource", "namespace"])
                self.assertEqual(dashboard["templating"]["list"][1]["refresh"], 2)
                places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
                self.assertEqual(len(places), len(set(places)))


class RulesTest(unittest.TestCase):
    groups = yaml.safe_load((ROOT / "monitoring/rules.yaml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]

    def test_every_alert_fires_in_a_case_and_is_silent_in_another(self):
        cases = yaml.safe_load((ROOT / "monitoring/rules_test.yaml").read_text())["tests"]
        fires, silent = set(), set()
        for case in cases:
            for test in case.get("promql_expr_test", []):
                name = re.search(r'alertname="(\w+)"', test["expr"]).group(1)
                (fires if test["exp_samples"] else silent).add(name)
        names = {rule["alert"] for rule in self.alerts}
        self.assertEqual(names - fires, set())
        self.assertEqual(names - silent, set())

    def test_every_alert_has_a_heading_that_says_what_to_do(self):
        page = (ROOT / "docs/monitoring.md").read_text()
        headings = {re.sub(r"[^a-z0-9 -]", "", line.strip("# ").lower()).replace(" ", "-")
                    for line in page.split("\n") if line.startswith("#")}
        for rule in self.alerts:
            with self.subTest(alert=rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                file, anchor = rule["annotations"]["runbook"].split("#")
                self.assertEqual(file, "docs/monitoring.md")
                self.assertIn(anchor, headings)

    def test_burn_rates(self):
        found = {}
        for rule in self.alerts:
            if "BudgetBurn" in rule["alert"]:
                factor = re.search(r"> ([\d.]+) \*", rule["expr"]).group(1)
                found.setdefault(rule["alert"], []).append(
                    (rule["labels"]["long"], rule["labels"]["short"], factor, rule["labels"]["severity"]))
        expected = [("1h", "5m", "14.4", "critical"), ("6h", "30m", "6", "critical"), ("1d", "2h", "3", "warning"),
                    ("3d", "6h", "1", "warning")]
        self.assertEqual(found, {"HeadgateErrorBudgetBurn": expected, "HeadgateFirstTokenBudgetBurn": expected})

    @unittest.skipUnless(shutil.which("promtool"), "no promtool: the package prometheus has it")
    def test_promtool(self):
        run = subprocess.run(["promtool", "test", "rules", ROOT / "monitoring/rules_test.yaml"], capture_output=True,
                             text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    unittest.main()
