# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""What others' validators say of every rendering of the chart: the schemas of Kubernetes from the oldest version
that is supported, kube-score, yamllint. HEADGATE_CHART_PYTHON has the packages, HEADGATE_KUBE_SCORE names the program
(`./dev test` sets both)."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
try:
    import jsonschema
    import kubernetes_validate
    import yaml
    from yamllint import config, linter
except ImportError:
    print("SKIPPED: run through ./dev test, which sets HEADGATE_CHART_PYTHON")
    raise SystemExit(77) from None
import chart_test  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
KUBE_SCORE = os.environ.get("HEADGATE_KUBE_SCORE")
VERSIONS = ("1.30", "1.34", "1.37")
# Younger than 1.30.
YOUNGER = {"1.30": {"pools", "endpoint slices"}}  # volumes of images
# What kube-score would have otherwise, and why it is so.
IGNORED = {
    "container-image-pull-policy": "image.pullPolicy; IfNotPresent with tags that never move",
    "container-ephemeral-storage-request-and-limit": "a model's size is not known here",
    "deployment-has-host-podantiaffinity": "topology spread does it",
    "statefulset-has-host-podantiaffinity": "topology spread does it",
    "deployment-replicas": "it does not know KEDA's scalers; chart_test looks at replicas",
    "pod-probes-identical": "the same question, but liveness waits a minute; chart_test compares",
    "pod-probes": "Jobs and the helm test end by themselves",
}
TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer"}


def exactly(required, **optional):
    return {"type": "object", "additionalProperties": False, "required": list(required),
            "properties": {**required, **optional}}


def listed(of, **more):
    return {"type": "array", "minItems": 1, "items": of, **more}


BACKEND = exactly({"name": TEXT, "port": NUMBER, "weight": NUMBER})
# The kinds of operators, as far as the chart uses them: a field that is misspelled is refused.
OPERATORS = {
    ("monitoring.coreos.com/v1", "PodMonitor"): exactly(
        {"selector": {"type": "object"}, "podMetricsEndpoints": listed(
            exactly({"port": TEXT, "path": TEXT, "interval": TEXT}))}, podTargetLabels=listed(TEXT)),
    ("monitoring.coreos.com/v1", "PrometheusRule"): exactly({"groups": listed(exactly(
        {"name": TEXT, "rules": listed(exactly({"expr": TEXT}, record=TEXT, alert=TEXT, labels={"type": "object"},
                                               annotations={"type": "object"}, **{"for": TEXT}))}, interval=TEXT))}),
    ("keda.sh/v1alpha1", "ScaledObject"): exactly(
        {"scaleTargetRef": exactly({"apiVersion": TEXT, "kind": TEXT, "name": TEXT}), "triggers": listed(exactly(
            {"type": {"const": "prometheus"}, "metricType": {"const": "AverageValue"}, "metadata": {
                "type": "object", "additionalProperties": TEXT}}))},
        minReplicaCount=NUMBER, maxReplicaCount=NUMBER, pollingInterval=NUMBER, cooldownPeriod=NUMBER,
        fallback=exactly({"failureThreshold": NUMBER, "replicas": NUMBER}, behavior={
            "enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]}),
        advanced=exactly({"horizontalPodAutoscalerConfig": exactly({"behavior": {"type": "object"}})})),
    ("cert-manager.io/v1", "Certificate"): exactly(
        {"secretName": TEXT, "issuerRef": exactly({"group": TEXT, "kind": TEXT, "name": TEXT}),
         "dnsNames": listed(TEXT)}, duration=TEXT, usages=listed(TEXT), privateKey=exactly(
            {"algorithm": TEXT, "size": NUMBER, "rotationPolicy": TEXT})),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): exactly(
        {"parentRefs": listed({"type": "object"}), "rules": listed(exactly(
            {"backendRefs": listed(BACKEND)}, timeouts=exactly({"request": TEXT})))}, hostnames=listed(TEXT)),
    ("gateway.networking.k8s.io/v1", "GRPCRoute"): exactly(
        {"parentRefs": listed({"type": "object"}), "rules": listed(exactly({"backendRefs": listed(BACKEND)}))},
        hostnames=listed(TEXT)),
    ("external-secrets.io/v1", "ExternalSecret"): exactly(
        {"refreshInterval": TEXT, "secretStoreRef": exactly({"kind": TEXT, "name": TEXT}), "target": exactly(
            {"name": TEXT, "creationPolicy": TEXT}), "data": listed(exactly(
                {"secretKey": TEXT, "remoteRef": exactly({"key": TEXT})}))}),
}


class ValidatorsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = {name: chart_test.render(values) for name, values in chart_test.RENDERINGS.items()}

    def test_schemas_of_kubernetes(self):
        for version in VERSIONS:
            for name, objects in self.renderings.items():
                if name in YOUNGER.get(version, ()) or name == "everything" and version == "1.30":
                    continue
                for one in objects:
                    if (one["apiVersion"], one["kind"]) in OPERATORS:
                        continue
                    with self.subTest(version=version, values=name, object=f"{one['kind']} {one['metadata']['name']}"):
                        kubernetes_validate.validate(one, version, strict=True)

    def test_schemas_of_operators(self):
        seen = set()
        for name, objects in self.renderings.items():
            for one in objects:
                kind = (one["apiVersion"], one["kind"])
                if kind in OPERATORS:
                    seen.add(kind)
                    with self.subTest(values=name, object=f"{one['kind']} {one['metadata']['name']}"):
                        jsonschema.validate(one["spec"], OPERATORS[kind])
        self.assertEqual(seen, set(OPERATORS), "every kind is rendered by some values")

    @unittest.skipUnless(KUBE_SCORE, "no kube-score: tools/kube-score builds it")
    def test_kube_score(self):
        for name, objects in self.renderings.items():
            with self.subTest(values=name):
                text = "---\n".join(json.dumps(one) + "\n" for one in objects)
                # A limit of the CPU throttles; requests are what it is shared by.
                flags = ["--output-format", "ci", "--ignore-container-cpu-limit"]
                flags += [word for one in IGNORED for word in ("--ignore-test", one)]
                run = subprocess.run([KUBE_SCORE, "score", "-", *flags], input=text, capture_output=True, text=True,
                                     check=False)
                worse = [line for line in run.stdout.split("\n") if line.startswith(("[CRITICAL]", "[WARNING]"))]
                self.assertEqual(worse, [], run.stderr)
                self.assertIn("[OK]", run.stdout)

    def test_yamllint(self):
        rules = config.YamlLintConfig("""{extends: default, rules: {document-start: disable, line-length: disable,
            comments-indentation: disable,
            comments: {min-spaces-from-content: 1}, truthy: {check-keys: false},
            indentation: {indent-sequences: consistent}}}""")
        made = ROOT / "deploy/k8s"
        files = [path for folder in ("deploy", "monitoring", "examples", "tests/unit/router")
                 for path in sorted((ROOT / folder).rglob("*.yaml"))
                 if "templates" not in path.parts and made not in path.parents]
        self.assertGreater(len(files), 8)
        for path in files:
            with self.subTest(file=str(path.relative_to(ROOT))):
                found = [f"{one.line}: {one.desc}" for one in linter.run(path.read_text(), rules, str(path))]
                self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
