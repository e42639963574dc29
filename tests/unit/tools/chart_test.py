# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The chart, rendered by helm with many values: what must hold of every rendering, what each value does, and what is
refused. chart_test.py ROUTER: the program checks every router.yaml that is rendered. Helm is HELM, or tools/helm."""

import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import yaml
except ImportError:
    print("SKIPPED: no PyYAML (package python3-yaml)")
    raise SystemExit(77) from None

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/helm/headgate"
HELM = os.environ.get("HELM") or str(ROOT / "tools/helm")
CLOUD = {"cloud": {"enabled": True, "existingSecret": "cloud-key"}}
TLS = {"tls": {"clients": {"mode": "cert-manager"}, "engines": {"mode": "cert-manager"},
               "certManager": {"issuerName": "ca"}}}
POOLS = {"enginePools": {
    "default": {}, "big": {"resources": {"limits": {"nvidia.com/gpu": 1}}, "oneGpuNodes": True,
                           "runtimeClassName": "nvidia", "gpuLayers": 99, "model": {"source": "pvc", "sha256": "a" * 64,
                                                                                     "pvc": {"claims": ["a", "b"]}}},
    "mig": {"resources": {"limits": {"nvidia.com/mig-1g.10gb": 1}}, "model": {
        "source": "download", "sha256": "b" * 64, "download": {"url": "https://models/x", "claim": "c"}}},
    "spot": {"spot": True, "model": {"source": "imageVolume", "keySecret": "model-key"}},
    "toy": {"model": {"source": "reference"}},
    "vllm": {"kind": "vllm", "image": {"repository": "vllm/vllm-openai", "tag": "v1"}},
    "sglang": {"kind": "sglang", "model": {"source": "pvc", "pvc": {"claims": ["a"], "path": "models"}}}}}
EVERYTHING = {
    **CLOUD, **TLS, "enginePools": {name: pool for name, pool in POOLS["enginePools"].items() if name != "sglang"},
    "metrics": {"podMonitor": True, "prometheusRule": True, "dashboards": True},
    "gateway": {"http": {"enabled": True, "parentRefs": [{"name": "g"}]},
                "grpc": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["llm.example"]},
                "canary": {"service": "next-headgate-router", "weight": 10}},
    "ingress": {"enabled": True, "host": "llm.example", "tlsSecret": "t"},
    "externalSecrets": {"enabled": True, "storeName": "vault", "keys": {"cloud-key": {"api-key": "llm/key"}}},
    "secretsCsi": {"providerClass": "vault"}, "drift": {"enabled": True, "claim": "d"},
    "modelPipeline": {"enabled": True, "claim": "m", "from": "big.gguf", "to": "small.gguf"},
    "router": {"config": {"policy": {"mode": "overflow", "cloud_qps_threshold": 50}}, "hostAliases": [
        {"ip": "10.0.0.9", "hostnames": ["api.deepseek.com"]}]}}
MODES = {mode: {"engine": {"autoscaling": {"mode": mode}}, "router": {"autoscaling": {"mode": mode}}}
         for mode in ("off", "cpu", "external", "keda")}
RENDERINGS = {"defaults": {}, "cloud": CLOUD, "tls": TLS, "pools": POOLS, "everything": EVERYTHING, **MODES,
              "client certificates": {"tls": {"clients": {"mode": "secret", "secret": "s",
                                                          "requireClientCertificate": True}}},
              "no volumes": {"audit": {"persistence": {"enabled": False}}},
              "own secrets": {"audit": {"existingSecret": "a"}, "tenants": {"existingSecret": "t"}},
              "admin keys": {"admin": {"keySha256": ["c" * 64]}}, "deletion cost": {"deletionCost": {"enabled": True}},
              "endpoint slices": {**POOLS, "router": {"discovery": "endpoint-slices"}, "networkPolicy": {
                  "apiServer": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}},
              "redis": {"networkPolicy": {"redis": [{"podSelector": {"matchLabels": {"app": "redis"}}}]}},
              **{path.name: yaml.safe_load(path.read_text()) for path in sorted(
                  (ROOT / "deploy/examples").glob("*-values.yaml"))}}
# Who may ask the API server: (rendering, component).
TOKENS = {("deletion cost", "deletion-cost"), ("autoscaling-values.yaml", "deletion-cost"),
          ("endpoint slices", "router")}
# Values that must be refused, and a word of the complaint.
REFUSED = {
    "half a GPU": ({"engine": {"resources": {"limits": {"nvidia.com/gpu": 0.5}}}}, "gpu"),
    "half a GPU as text": ({"engine": {"resources": {"limits": {"nvidia.com/gpu": "0.5"}}}}, "gpu"),
    "unknown value": ({"engine": {"replica": 3}}, "replica"),
    "unknown value of a pool": ({"enginePools": {"default": {"replica": 3}}}, "replica"),
    "no pool": ({"enginePools": {"default": None}}, "enginePools"),
    "pool name too long": ({"enginePools": {"a" * 30: {}}}, "enginePools"),
    "root": ({"podSecurity": {"runAsUser": 0}}, "runAsUser"),
    "cloud without its secret": ({"cloud": {"enabled": True}}, "existingSecret"),
    "unknown mode": ({"engine": {"autoscaling": {"mode": "fast"}}}, "mode"),
    "min above max": ({"engine": {"autoscaling": {"min": 5, "max": 3}}}, "above max"),
    "scale to zero": ({"engine": {"autoscaling": {"min": 0}}}, "min"),
    "download without a digest": ({"engine": {"model": {"source": "download", "download": {
        "url": "https://x", "claim": "c"}}}}, "sha256"),
    "cert-manager without an issuer": ({"tls": {"engines": {"mode": "cert-manager"}}}, "issuerName"),
    "listen is the chart's": ({"router": {"config": {"listen": {"http": "0.0.0.0:1"}}}}, "listen"),
    "route without a gateway": ({"gateway": {"http": {"enabled": True}}}, "parentRefs"),
    "EndpointSlices without the API server's address": ({"router": {"discovery": "endpoint-slices"}}, "apiServer"),
    "SGLang with mutual TLS": ({**TLS, "enginePools": {"default": {"kind": "sglang"}}}, "sglang"),
    "drift without a claim": ({"drift": {"enabled": True}}, "claim"),
    "drift of no pool": ({"drift": {"enabled": True, "claim": "d", "pool": "x"}}, "pool"),
    "pipeline of nothing": ({"modelPipeline": {"enabled": True, "claim": "m"}}, "from"),
    "no name server": ({"networkPolicy": {"dns": []}}, "dns"),
    "an empty first-token objective": ({"metrics": {"firstTokenSeconds": "0.3"}}, "firstTokenSeconds"),
}


def template(values, release="r", tests=True):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        return subprocess.run([HELM, "template", release, CHART, "--namespace", "n", "--kube-version", "1.34.0",
                               "--values", file.name, *([] if tests else ["--skip-tests"])], capture_output=True,
                              text=True, check=False)


def render(values, release="r"):
    run = template(values, release)
    if run.returncode:
        raise AssertionError(run.stderr)
    return [one for one in yaml.safe_load_all(run.stdout) if one]


def pod_specs(objects):
    """(name, kind, pod spec, pod labels) of everything that makes pods."""
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], "Pod", spec, one["metadata"]["labels"]
        if one["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if isinstance(spec.get("template"), dict):
            yield one["metadata"]["name"], one["kind"], spec["template"]["spec"], spec["template"]["metadata"]["labels"]


def find(objects, kind, name):
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    if len(found) != 1:
        raise AssertionError(f"{kind} {name}: {len(found)} of {[(o['kind'], o['metadata']['name']) for o in objects]}")
    return found[0]


def immutable(objects):
    """What Kubernetes never lets change, by `KIND NAME`."""
    found = {}
    for one in objects:
        spec = one.get("spec", {})
        keys = {"Deployment": ["selector"], "StatefulSet": ["selector", "serviceName", "podManagementPolicy",
                                                            "volumeClaimTemplates"], "Service": ["clusterIP"]}
        if one["kind"] in keys:
            found[f"{one['kind']} {one['metadata']['name']}"] = {key: spec.get(key) for key in keys[one["kind"]]}
    return found


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


class EveryRendering(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.renderings = {name: render(values) for name, values in RENDERINGS.items()}

    def each(self):
        for name, objects in self.renderings.items():
            with self.subTest(values=name):
                yield objects

    def test_pods_are_restricted(self):
        for values, objects in self.renderings.items():
            for name, _, spec, labels in pod_specs(objects):
                self.assertEqual(spec["automountServiceAccountToken"],
                                 (values, labels["app.kubernetes.io/component"]) in TOKENS, f"{values}: {name}")
                self.assertFalse({"hostNetwork", "hostPID", "hostIPC"} & set(spec), name)
                self.assertTrue(spec["securityContext"]["runAsNonRoot"], name)
                self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                self.assertFalse([one for one in spec.get("volumes", []) if "hostPath" in one], name)
                for container in spec["containers"] + spec.get("initContainers", []):
                    security = container["securityContext"]
                    self.assertFalse(security["allowPrivilegeEscalation"])
                    self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                    self.assertTrue(security["readOnlyRootFilesystem"])
                    self.assertIn("memory", container["resources"]["requests"], name)

    def test_no_secret_is_a_plain_value(self):
        for objects in self.each():
            for name, _, spec, _ in pod_specs(objects):
                for container in spec["containers"] + spec.get("initContainers", []):
                    for entry in container.get("env", []):
                        if re.search("KEY|TOKEN|SECRET|PASSWORD", entry["name"]):
                            self.assertNotIn("value", entry, f"{name}: {entry}")

    def test_drain_contract(self):
        for objects in self.each():
            grace = {}
            for name, kind, spec, labels in pod_specs(objects):
                component = labels["app.kubernetes.io/component"]
                if component not in ("router", "engine"):
                    continue
                main = spec["containers"][0]
                sleep = main["lifecycle"]["preStop"]["sleep"]["seconds"]
                drain = [int(one.split("=")[1]) for one in main.get("args", []) if one.startswith("--drain-seconds=")]
                if component == "router":
                    config = yaml.safe_load(find(objects, "ConfigMap", "r-headgate-router")["data"]["router.yaml"])
                    drain = [int(config["limits"]["drain"].rstrip("s"))]
                self.assertGreater(spec["terminationGracePeriodSeconds"], sleep + sum(drain), name)
                grace.setdefault(component, []).append(spec["terminationGracePeriodSeconds"])
                ready, lives = main["readinessProbe"], main["livenessProbe"]
                self.assertLess(ready["periodSeconds"] * ready["failureThreshold"],
                                lives["periodSeconds"] * lives["failureThreshold"], "readiness fails first")
            self.assertGreaterEqual(min(grace["router"]), max(grace["engine"]))

    def test_selectors_find_their_pods_and_no_others(self):
        for objects in self.each():
            pods = list(pod_specs(objects))
            for one in objects:
                spec = one.get("spec", {})
                if one["kind"] in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
                    selector = spec["selector"].get("matchLabels", spec["selector"])
                    names = {name for name, _, _, labels in pods if selects(selector, labels)}
                    owner = re.sub("-pods$", "", one["metadata"]["name"])
                    self.assertEqual(names, {owner}, f"{one['kind']} {one['metadata']['name']}")

    def test_scalers_name_what_is_there(self):
        for objects in self.each():
            scaled = set()
            for one in objects:
                if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
                    target = one["spec"]["scaleTargetRef"]
                    find(objects, target["kind"], target["name"])
                    self.assertNotIn(target["name"], scaled, "one scaler for a workload")
                    scaled.add(target["name"])
            for one in objects:
                if one["kind"] in ("Deployment", "StatefulSet"):
                    self.assertEqual("replicas" in one["spec"], one["metadata"]["name"] not in scaled)

    def test_engines_have_no_egress_and_take_routers_only(self):
        for objects in self.each():
            policy = find(objects, "NetworkPolicy", "r-headgate-engine")["spec"]
            self.assertEqual(policy["egress"], [])
            self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
            engines = [labels for _, _, _, labels in pod_specs(objects)
                       if labels["app.kubernetes.io/component"] == "engine"]
            for labels in engines:
                self.assertTrue(selects(policy["podSelector"]["matchLabels"], labels))
            for rule in policy["ingress"]:
                self.assertTrue(rule["from"], "an empty `from` is everyone")

    def test_router_configuration_is_accepted(self):
        if not os.access(ROUTER, os.X_OK):
            self.skipTest("no headgate-router")
        for objects in self.each():
            text = find(objects, "ConfigMap", "r-headgate-router")["data"]["router.yaml"]
            said = check_config(text)
            self.assertEqual(said.returncode, 0, said.stderr + text)


def check_config(text):
    """The router's own judgement, with stand-ins for the files that secrets bring."""
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        for name in ("tenants", "audit", "cloud", "cloud-ca", "tls", "engine-tls"):
            (at / name).mkdir()
        (at / "tenants/tenants.yaml").write_text(f"tenants:\n- name: default\n  api_key_sha256: ['{'d' * 64}']\n")
        (at / "audit/audit.key").write_text("k" * 64)
        (at / "cloud/api-key").write_text("key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=t", "-keyout", at / "tls/tls.key", "-out", at / "tls/tls.crt"], check=True,
                       capture_output=True)
        shutil.copy(at / "tls/tls.crt", at / "tls/ca.crt")
        shutil.copytree(at / "tls", at / "engine-tls", dirs_exist_ok=True)
        (at / "records").mkdir()
        (at / "router.yaml").write_text(text.replace("/etc/headgate/", f"{folder}/").replace(
            "/var/lib/headgate/audit", f"{folder}/records"))
        # Nothing is sent: the chart's real cloud is looked at in runs that allow a loopback one only.
        environment = {k: v for k, v in os.environ.items() if k != "HEADGATE_LOOPBACK_CLOUD_ONLY"}
        return subprocess.run([ROUTER, "--config", at / "router.yaml", "--check-config"], capture_output=True,
                              text=True, check=False, env=environment)


class Values(unittest.TestCase):
    def test_refused(self):
        for name, (values, word) in REFUSED.items():
            with self.subTest(values=name):
                run = template(values)
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(word, run.stderr)

    def test_two_releases_share_nothing(self):
        one, two = render({}, "a"), render({}, "b")
        names = [{(x["kind"], x["metadata"]["name"]) for x in objects} for objects in (one, two)]
        self.assertFalse(names[0] & names[1])
        for _, _, _, labels in pod_specs(two):
            self.assertFalse(selects(find(one, "Service", "a-headgate-router")["spec"]["selector"], labels))

    def test_external_metric_is_a_sum_with_an_average(self):
        spec = find(render(MODES["external"]), "HorizontalPodAutoscaler", "r-headgate-engine-default")["spec"]
        metric = spec["metrics"][0]["external"]
        self.assertEqual(metric["target"], {"type": "AverageValue", "averageValue": "16"})
        names = [rule["name"]["as"] for rule in yaml.safe_load(
            (ROOT / "monitoring/prometheus-adapter.yaml").read_text())["externalRules"]]
        self.assertIn(metric["metric"]["name"], names)
        self.assertEqual(spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"], 300)

    def test_keda_never_takes_no_answer_for_idle(self):
        spec = find(render(MODES["keda"]), "ScaledObject", "r-headgate-engine-default")["spec"]
        self.assertEqual(spec["triggers"][0]["metadata"]["ignoreNullValues"], "false")
        self.assertEqual(spec["fallback"]["behavior"], "currentReplicasIfHigher")

    def test_tls_between_router_and_engine(self):
        objects = render(TLS)
        config = yaml.safe_load(find(objects, "ConfigMap", "r-headgate-router")["data"]["router.yaml"])
        certificate = find(objects, "Certificate", "r-headgate-engine-tls")
        self.assertEqual(config["local"]["tls_identities"], certificate["spec"]["dnsNames"])
        self.assertNotIn("tls_server_name", config["local"])
        engine = find(objects, "Deployment", "r-headgate-engine-default")["spec"]["template"]["spec"]["containers"][0]
        self.assertIn("--tls-ca=/etc/headgate/tls/ca.crt", engine["args"])
        self.assertIn("httpGet", engine["readinessProbe"])

    def test_ones_own_identities_of_engines_are_kept(self):
        values = copy.deepcopy(TLS)
        for key, value in (("tls_identities", ["spiffe://cluster.local/ns/models/sa/engine"]),
                           ("tls_server_name", "engine.internal")):
            values.setdefault("router", {}).setdefault("config", {})["local"] = {key: value}
            config = find(render(values), "ConfigMap", "r-headgate-router")["data"]["router.yaml"]
            local = yaml.safe_load(config)["local"]
            self.assertEqual({name: local[name] for name in local if name.startswith("tls_")}, {key: value})

    def test_the_helm_test_speaks_tls_when_routers_do(self):
        pod = find(render(TLS), "Pod", "r-headgate-test")["spec"]
        for container in pod["containers"]:
            self.assertIn("--ca=/etc/headgate/tls/ca.crt", container["args"])
            self.assertEqual(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"])
        self.assertEqual(pod["volumes"][0]["secret"]["items"], [{"key": "ca.crt", "path": "ca.crt"}], "never the key")
        self.assertFalse([one for one in render(RENDERINGS["client certificates"]) if one["kind"] == "Pod"])

    def test_what_cannot_change_is_as_in_the_first_release(self):
        """An upgrade from 0.1.0 must not touch fields that the API server refuses to change."""
        first = json.loads((ROOT / "tests/unit/tools/chart_0.1.0.json").read_text())
        self.assertEqual(immutable(render({}, "headgate")), first)

    def test_one_gpu_nodes_never_wait_for_a_second_gpu(self):
        deployment = find(render(POOLS), "Deployment", "r-headgate-engine-big")["spec"]
        self.assertEqual(deployment["strategy"]["rollingUpdate"], {"maxSurge": 0, "maxUnavailable": 1})

    def test_where_pods_run(self):
        objects = render(POOLS)

        def pod(pool):
            return find(objects, "Deployment", f"r-headgate-engine-{pool}")["spec"]["template"]["spec"]

        self.assertEqual({one["topologyKey"] for one in pod("default")["topologySpreadConstraints"]},
                         {"kubernetes.io/hostname", "topology.kubernetes.io/zone"})
        self.assertEqual(pod("big")["runtimeClassName"], "nvidia")
        self.assertEqual(pod("mig")["containers"][0]["resources"]["limits"]["nvidia.com/mig-1g.10gb"], 1)
        self.assertNotIn("affinity", pod("default"))
        preferred = pod("spot")["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        keys = {one["preference"]["matchExpressions"][0]["key"] for one in preferred}
        self.assertLessEqual({one["key"] for one in pod("spot")["tolerations"]} - {"spot"}, keys)
        own = render({"engine": {"spot": True, "affinity": {"podAntiAffinity": {"x": []}}}})
        both = find(own, "Deployment", "r-headgate-engine-default")["spec"]["template"]["spec"]["affinity"]
        self.assertEqual(set(both), {"nodeAffinity", "podAntiAffinity"})

    def test_defaults_of_scaling_and_disruption(self):
        objects = render({})
        for kind, name in (("Deployment", "r-headgate-engine-default"), ("StatefulSet", "r-headgate-router")):
            self.assertNotIn("replicas", find(objects, kind, name)["spec"])
            budget = find(objects, "PodDisruptionBudget", name)["spec"]
            self.assertEqual(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow")
        scaler = find(objects, "HorizontalPodAutoscaler", "r-headgate-engine-default")["spec"]
        self.assertEqual((scaler["minReplicas"], scaler["maxReplicas"]), (2, 10))
        self.assertEqual(scaler["metrics"][0]["resource"]["target"]["averageUtilization"], 70)

    def test_other_servers_send_no_telemetry(self):
        for name in ("vllm", "sglang"):
            spec = find(render(POOLS), "Deployment", f"r-headgate-engine-{name}")["spec"]["template"]["spec"]
            environment = {one["name"]: one["value"] for one in spec["containers"][0]["env"]}
            self.assertEqual(environment["DO_NOT_TRACK"], environment["VLLM_NO_USAGE_STATS"], "1")
            self.assertEqual(environment["HF_HUB_OFFLINE"], "1")

    def test_other_servers_are_in_the_configuration(self):
        config = yaml.safe_load(find(render(POOLS), "ConfigMap", "r-headgate-router")["data"]["router.yaml"])
        found = {one["name"]: one for one in config["local"]["endpoints"]}
        self.assertEqual(found["vllm"]["protocol"], "openai")
        self.assertTrue(found["vllm"]["address"].endswith(":8000"))
        self.assertEqual(found["sglang"]["sequences_max"], 32)
        self.assertNotIn("protocol", found["default"])
        spec = find(render(POOLS), "Deployment", "r-headgate-engine-vllm")["spec"]["template"]["spec"]
        self.assertIn("--max-num-seqs=32", spec["containers"][0]["args"])
        self.assertIn("--served-model-name=" + found["vllm"]["model"], spec["containers"][0]["args"])
        spec = find(render({**POOLS, **TLS, "enginePools": {"default": {}, "vllm": {"kind": "vllm"}}}), "Deployment",
                    "r-headgate-engine-vllm")["spec"]["template"]["spec"]["containers"][0]
        self.assertIn("--ssl-cert-reqs=2", spec["args"])
        self.assertIn("tcpSocket", spec["readinessProbe"])

    def test_endpoint_slices(self):
        objects = render(RENDERINGS["endpoint slices"])
        config = yaml.safe_load(find(objects, "ConfigMap", "r-headgate-router")["data"]["router.yaml"])
        self.assertEqual([one["service"] for one in config["local"]["endpoints"] if one["name"] == "mig"],
                         ["n/r-headgate-engine-mig"])
        self.assertEqual([one["rules"] for one in objects if one["kind"] == "Role"],
                         [[{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
                            "verbs": ["get", "list", "watch"]}]])
        egress = find(objects, "NetworkPolicy", "r-headgate-router")["spec"]["egress"]
        self.assertIn({"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 443}, {"port": 6443}]}, egress)

    def test_jobs_on_models(self):
        objects = render(EVERYTHING)
        pipeline = next(one for one in objects if "model-pipeline" in one["metadata"]["name"] and one["kind"] == "Job")
        self.assertEqual(pipeline["spec"]["template"]["spec"]["containers"][0]["args"][:6],
                         ["model", "pipeline", "/models/big.gguf", "--to=/models/small.gguf", "--type=Q4_K_M",
                          "--served=/models/served.json"])
        drift = find(objects, "CronJob", "r-headgate-drift")["spec"]["jobTemplate"]["spec"]
        self.assertEqual(drift["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"], [3])
        self.assertIn("--cert=/etc/headgate/engine-tls/tls.crt", drift["template"]["spec"]["containers"][0]["args"])
        policy = find(objects, "NetworkPolicy", "r-headgate-model-pipeline")["spec"]
        self.assertEqual((policy["ingress"], policy["egress"]), ([], []))

    def test_encrypted_model(self):
        spec = find(render(POOLS), "Deployment", "r-headgate-engine-spot")["spec"]["template"]["spec"]
        self.assertIn("--model-key=file:/etc/headgate/model-key/model.key", spec["containers"][0]["args"])
        self.assertIn({"name": "model-key", "mountPath": "/etc/headgate/model-key", "readOnly": True},
                      spec["containers"][0]["volumeMounts"])

    def test_canary_weights(self):
        rule = find(render(EVERYTHING), "HTTPRoute", "r-headgate")["spec"]["rules"][0]
        self.assertEqual([(one["name"], one["weight"]) for one in rule["backendRefs"]],
                         [("r-headgate-router", 90), ("next-headgate-router", 10)])

    def test_audit_claims_outlive_scaling_and_uninstall(self):
        spec = find(render({}), "StatefulSet", "r-headgate-router")["spec"]
        kept = {"whenScaled": "Retain", "whenDeleted": "Retain"}
        self.assertEqual(spec["persistentVolumeClaimRetentionPolicy"], kept)
        spec = find(render({"audit": {"persistence": {"whenDeleted": "Delete"}}}), "StatefulSet", "r-headgate-router")
        self.assertEqual(spec["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain")

    def test_only_the_deletion_cost_controller_may_patch_pods(self):
        objects = render({"deletionCost": {"enabled": True}})
        rules = [one["rules"] for one in objects if one["kind"] == "Role"]
        self.assertEqual(rules, [[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}]])
        subjects = [one["subjects"] for one in objects if one["kind"] == "RoleBinding"]
        self.assertEqual(subjects, [[{"kind": "ServiceAccount", "name": "r-headgate-deletion-cost", "namespace": "n"}]])
        self.assertFalse([one for one in objects if one["kind"].startswith("Cluster")])
        self.assertFalse([one for one in render({}) if one["kind"] in ("Role", "RoleBinding")], "off by default")
        spec = find(objects, "Deployment", "r-headgate-deletion-cost")["spec"]["template"]["spec"]
        self.assertIn("--selector=app.kubernetes.io/instance=r,app.kubernetes.io/component=engine",
                      spec["containers"][0]["args"])
        ingress = find(objects, "NetworkPolicy", "r-headgate-engine")["spec"]["ingress"]
        ports = [rule["ports"] for rule in ingress if "deletion-cost" in json.dumps(rule)]
        self.assertEqual(ports, [[{"port": 50053}]])

    def test_restart_only_for_what_needs_one(self):
        def annotation(values):
            spec = find(render(values), "StatefulSet", "r-headgate-router")["spec"]
            return spec["template"]["metadata"]["annotations"]["headgate.dev/restart-on"]
        hot = copy.deepcopy(CLOUD)
        hot["router"] = {"config": {"policy": {"cloud_qps_threshold": 7}}}
        self.assertEqual(annotation(CLOUD), annotation(hot))
        self.assertNotEqual(annotation(CLOUD), annotation({}))

    def test_schema_describes_everything(self):
        def walk(schema, path):
            for name, inner in schema.get("properties", {}).items():
                self.assertTrue(inner.get("description"), f"{path}{name}")
                if name != "resources":  # whose parts are Kubernetes' own
                    walk(inner, f"{path}{name}.")
        walk(json.loads((CHART / "values.schema.json").read_text()), "")

    def test_lint(self):
        run = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stdout)


class Made(unittest.TestCase):
    def test_nothing_is_stale(self):
        run = subprocess.run([sys.executable, ROOT / "tools/chart", "check"], capture_output=True, text=True,
                             check=False, env={**os.environ, "HELM": HELM})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)


if __name__ == "__main__":
    ROUTER = sys.argv.pop(1)
    unittest.main()
