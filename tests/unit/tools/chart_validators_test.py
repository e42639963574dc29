# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""What others' validators say of every rendering of the chart: the schemas of Kubernetes from the oldest version
that is supported, those of operators' kinds (HEADGATE_CRDS, a folder: tools/crds), kube-score (HEADGATE_KUBE_SCORE
names it), yamllint. HEADGATE_CHART_PYTHON has the packages; `./dev test` sets all three."""

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
CRDS = os.environ.get("HEADGATE_CRDS")
VERSIONS = ("1.30", "1.34", "1.37")
# Younger than 1.30.
YOUNGER = {"1.30": {"pools", "endpoint slices", "model-image-values.yaml"}}  # volumes of images
# Kinds of operators that the chart and its examples make, by group.
OPERATORS = {
    "monitoring.coreos.com": ["PodMonitor", "PrometheusRule"], "keda.sh": ["ScaledObject"],
    "cert-manager.io": ["Certificate"], "gateway.networking.k8s.io": ["HTTPRoute", "GRPCRoute"],
    "external-secrets.io": ["ExternalSecret"], "cilium.io": ["CiliumNetworkPolicy"],
    "networking.istio.io": ["VirtualService"]}
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


def strict(schema):
    """A CustomResourceDefinition's schema as JSON Schema that refuses fields it does not know, as the API server does
    of who asks it to; its CEL rules are left to a server (tests/e2e: server_accepts)."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if "properties" in schema:
        made["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = strict(schema[key])
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def definitions():
    """(apiVersion, kind) -> JSON Schema, of the folder that tools/crds prints."""
    found = {}
    for path in sorted(pathlib.Path(CRDS).glob("*.yaml")) if CRDS else ():
        for one in yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            for version in one["spec"]["versions"] if one and one["kind"] == "CustomResourceDefinition" else ():
                key = (f"{one['spec']['group']}/{version['name']}", one["spec"]["names"]["kind"])
                if key[0].split("/")[0] in OPERATORS:
                    found[key] = strict(version["schema"]["openAPIV3Schema"])
                    found[key]["properties"].update(apiVersion={}, kind={}, metadata={})  # the server's own
    return found


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
                    if one["apiVersion"].split("/")[0] in OPERATORS:
                        continue
                    with self.subTest(version=version, values=name, object=f"{one['kind']} {one['metadata']['name']}"):
                        kubernetes_validate.validate(one, version, strict=True)

    @unittest.skipUnless(CRDS, "no definitions of operators' kinds: tools/crds gets them")
    def test_schemas_of_operators(self):
        schemas, seen = definitions(), set()
        examples = [one for path in sorted((ROOT / "deploy/examples").glob("*.yaml"))
                    for one in yaml.safe_load_all(path.read_text()) if one and "apiVersion" in one]
        for name, objects in [*self.renderings.items(), ("deploy/examples", examples)]:
            for one in objects:
                kind = (one["apiVersion"], one["kind"])
                group = kind[0].split("/")[0]
                if group in OPERATORS:
                    seen.add(f"{group} {kind[1]}")
                    with self.subTest(values=name, object=f"{one['kind']} {one['metadata']['name']}"):
                        judge = jsonschema.Draft202012Validator(schemas[kind])
                        found = [f"{error.json_path}: {error.message[:300]}" for error in judge.iter_errors(one)]
                        self.assertEqual(found, [])
                        self.assertFalse(judge.is_valid({**one, "spec": {**one["spec"], "misspelled": 1}}))
        self.assertEqual(seen, {f"{group} {kind}" for group, kinds in OPERATORS.items() for kind in kinds})

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
