# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The chart's ways in and out: NetworkPolicies, what ports speak, and what monitoring finds. Helm is HELM, or
tools/helm."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from chart_test import CLOUD, POOLS, RENDERINGS, TLS, find, pod_specs, render, selects  # noqa: E402


class Ways(unittest.TestCase):
    def test_downloads_reach_private_addresses_only_where_named(self):
        def peers(values):
            policy = find(render({**POOLS, **values}), "NetworkPolicy", "r-headgate-model")["spec"]
            return [peer for rule in policy["egress"] for peer in rule["to"] if rule["ports"] == [{"port": 443}]]
        self.assertEqual([peer["ipBlock"]["cidr"] for peer in peers({})], ["0.0.0.0/0"])
        self.assertIn("10.0.0.0/8", peers({})[0]["ipBlock"]["except"])
        mirror = {"ipBlock": {"cidr": "10.1.2.3/32"}}
        self.assertIn(mirror, peers({"networkPolicy": {"downloads": [mirror]}}))

    def test_ports_say_what_they_speak(self):
        """A mesh or a gateway believes appProtocol: h2c only where there is no TLS."""
        for values, http, grpc in (({}, None, "kubernetes.io/h2c"), (TLS, "https", "https")):
            objects = render(values)
            for name in ("router", "router-pods", "engine-default"):
                ports = {one["name"]: one.get("appProtocol")
                         for one in find(objects, "Service", f"r-headgate-{name}")["spec"]["ports"]}
                self.assertEqual(ports, {"grpc": grpc, **({} if name == "engine-default" else {"http": http})}, name)

    def test_egress_to_the_cloud(self):
        def outside(values):
            rules = find(render(values), "NetworkPolicy", "r-headgate-router")["spec"]["egress"]
            return [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
        self.assertEqual(outside({}), [])
        self.assertIn("10.0.0.0/8", outside(CLOUD)[0]["except"])
        self.assertEqual(outside({**CLOUD, "networkPolicy": {"cloudEgress": False}}), [])

    def test_every_pod_has_a_policy_for_both_ways(self):
        for name, values in RENDERINGS.items():
            with self.subTest(values=name):
                objects = render(values)
                policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
                for pod, _, _, labels in pod_specs(objects):
                    found = [one for one in policies if selects(one["podSelector"]["matchLabels"], labels) and all(
                        labels.get(rule["key"]) in rule["values"]
                        for rule in one["podSelector"].get("matchExpressions", []))]
                    self.assertEqual([one["policyTypes"] for one in found], [["Ingress", "Egress"]], pod)

    def test_first_token_objective(self):
        rules = json.dumps(find(render({"metrics": {"prometheusRule": True, "firstTokenSeconds": "2.5"}}),
                                "PrometheusRule", "r-headgate")["spec"])
        self.assertIn('le=\\"2.5\\"', rules)
        self.assertNotIn('le=\\"0.1\\"', rules)

    def test_rules_and_dashboards_find_a_release_by_any_name(self):
        objects = render({"fullnameOverride": "llm", "metrics": {"prometheusRule": True, "dashboards": True}})
        scalers = [one["metadata"]["name"] for one in objects if one["kind"] == "HorizontalPodAutoscaler"]
        jobs = [one["metadata"]["name"] + "-29" for one in render({"fullnameOverride": "llm", "drift": {
            "enabled": True, "claim": "d"}}) if one["kind"] == "CronJob"]
        for kind in ("PrometheusRule", "ConfigMap"):
            text = json.dumps([one for one in objects if one["kind"] == kind]).replace("\\", "")
            found = re.findall(r'(horizontalpodautoscaler|job_name)=~"([^"]*)"', text)
            self.assertTrue(found)
            for label, pattern in found:
                names = jobs if label == "job_name" else scalers + [f"keda-hpa-{name}" for name in scalers]
                self.assertTrue(names and all(re.fullmatch(pattern, name) for name in names), pattern)


if __name__ == "__main__":
    unittest.main()
