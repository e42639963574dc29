# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Every query of every dashboard, rule and autoscaler against a real Prometheus that scrapes the real programs under a
little load: monitoring_test.py BINARIES. An empty answer fails: a name or a label that nothing emits."""

import contextlib
import http.client
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

try:
    import yaml
except ImportError:
    print("SKIPPED: no PyYAML (package python3-yaml)")
    raise SystemExit(77) from None

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration/clients"))
import world  # noqa: E402

NAMESPACE, ROUTER, ENGINE = "headgate", "headgate-router-0", "headgate-engine-default-5d9c7b8f6-x2x4z"
SCALER = f'namespace="{NAMESPACE}",horizontalpodautoscaler="headgate-router"'
# What kube-state-metrics and the DCGM exporter say of such an installation: names and labels as they have them.
OTHERS = f"""\
kube_horizontalpodautoscaler_status_current_replicas{{{SCALER}}} 2
kube_horizontalpodautoscaler_status_desired_replicas{{{SCALER}}} 2
kube_horizontalpodautoscaler_spec_max_replicas{{{SCALER}}} 6
kube_job_status_failed{{namespace="{NAMESPACE}",job_name="headgate-drift-29"}} 0
DCGM_FI_DEV_GPU_UTIL{{namespace="{NAMESPACE}",gpu="0"}} 40
"""
# Series that exist only once their event has happened, which is not made here; tools/tidy checks their names.
RARE = re.compile(r"headgate_router_((refused_addresses|unpriced_requests|attacks|masked|hedges)_total"
                  r"|endpoint_watch_up|sharing_live)|headgate_engine_model_(copies_lost|changes_total)")
NEVER = ['=~"sensitive|unclassified|tenant_local_only|input_filter|audit_unwritable"', '="unavailable"']
SECONDS = 120


class MonitoredWorld(world.World):
    """The programs with metrics ports that are known, a price and a budget."""

    def start(self, name, *arguments):
        addresses = super().start(name, *arguments)
        if "metrics" in addresses:
            setattr(self, "engine_metrics" if name == "headgate-engine" else "router_metrics", addresses["metrics"])
        return addresses

    def write(self, name, text):
        if name == "router.yaml":
            text += """\
cache: {bytes_max: 1000000}
accounting:
  budget: {limit_micro_units: 1000000000, period: month}
  prices:
    - {version: test, model: deepseek-flash, currency: USD, valid_from: 2026-01-01, cache_hit: 3000,
       cache_miss: 150000, output: 600000}
"""
        return super().write(name, text)


class Others(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(OTHERS.encode())

    def log_message(self, *_):
        pass


def ask(address, text):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(
        {"messages": [{"role": "user", "content": text}], "max_tokens": 8, "stream": True, "temperature": 0}),
        {"content-type": "application/json", "authorization": "Bearer " + world.KEY})
    connection.getresponse().read()
    connection.close()


def conditions(expression):
    """An alert's condition as a value, so that it has an answer while nothing is wrong. Label matchers are no
    comparisons: they are set aside meanwhile."""
    matchers = re.findall(r"\{[^}]*\}", expression)
    text = re.sub(r"\{[^}]*\}", "@MATCHERS@", expression)
    text = re.sub(r"(>=|<=|==|!=|>|<)(\s*bool\b)?", r"\1 bool", text)
    for matcher in matchers:
        text = text.replace("@MATCHERS@", matcher, 1)
    return text


def queries():
    """[(where, query)]"""
    found = []
    for path in sorted((ROOT / "monitoring/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                text = target["expr"].replace("$__rate_interval", "30s").replace("$namespace", ".*")
                found.append((f"{path.name}: {panel['title']}", text))
    for group in yaml.safe_load((ROOT / "monitoring/rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            name = rule.get("record") or rule["alert"] + json.dumps(rule["labels"])
            found.append((f"rules.yaml: {name}", rule["expr"] if "record" in rule else conditions(rule["expr"])))
    for value in NEVER:  # the series with any other value of that label
        found = [(where, text.replace(value, '=~".+"')) for where, text in found]
    adapter = yaml.safe_load((ROOT / "monitoring/prometheus-adapter.yaml").read_text())
    for rule in adapter["externalRules"]:
        matchers = f'namespace="{NAMESPACE}",app_kubernetes_io_instance="headgate"'
        found.append((f"prometheus-adapter.yaml: {rule['name']['as']}",
                      rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)))
        found.append((f"prometheus-adapter.yaml: {rule['name']['as']} (series)", rule["seriesQuery"]))
    # The queries of the chart's ScaledObjects, as templates/_autoscaling.tpl writes them.
    template = (ROOT / "deploy/helm/headgate/templates/_autoscaling.tpl").read_text()
    for full, name in (("headgate-engine-default", "engineRequestsQuery"), ("headgate-router", "routerRequestsQuery")):
        body = re.search(rf'define "headgate.{name}" -}}}}(.*?)\n{{{{- end -}}}}', template, re.S).group(1)
        pods = re.search(r'pod=~\\"%s([^\\]*)\\"', body).group(1)
        on = f'namespace="{NAMESPACE}",pod=~"{full}{pods}"'
        found.append((f"chart: {name}", re.sub(r" ?{{-? \$on -?}} ?", on, body.split("-}}\n")[-1])))
    return found


class MonitoringTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("prometheus"):
            world.skip("no prometheus: the package of that name has it")
        cls.world = cls.enterClassContext(MonitoredWorld(BINARIES))
        others = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Others)
        threading.Thread(target=others.serve_forever, daemon=True).start()
        cls.addClassCleanup(others.server_close)
        cls.addClassCleanup(others.shutdown)
        cls.start_prometheus(f"127.0.0.1:{others.server_address[1]}")

    @classmethod
    def start_prometheus(cls, others):
        pod = {"namespace": NAMESPACE, "app_kubernetes_io_instance": "headgate"}
        jobs = [("router", cls.world.router_metrics, {**pod, "pod": ROUTER}),
                ("engine", cls.world.engine_metrics, {**pod, "pod": ENGINE, "headgate_dev_pool": "default"}),
                ("others", others, {})]
        shutil.copy(ROOT / "monitoring/rules.yaml", cls.world.folder)
        config = cls.world.write("prometheus.yml", json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": name, "static_configs": [{"targets": [at], "labels": labels}]}
                               for name, at, labels in jobs]}))
        with free_port() as port:
            cls.prometheus = f"127.0.0.1:{port}"
        with open(cls.world.folder / "prometheus.out", "wb") as log:
            program = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={cls.world.folder}/tsdb",
                 f"--web.listen-address={cls.prometheus}"], stdout=log, stderr=log, preexec_fn=world.die_with_parent)
        cls.addClassCleanup(program.wait, 30)
        cls.addClassCleanup(program.terminate)

    @classmethod
    def query(cls, expression):
        url = f"http://{cls.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return []  # not ready yet
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        except OSError:
            return []  # not up yet

    def test_no_query_is_empty(self):
        waiting = [(where, text) for where, text in queries() if not RARE.search(text) or "audit_writable" in text]
        self.assertGreater(len(waiting), 80)
        rounds = 0
        while waiting and rounds < SECONDS:
            rounds += 1
            for number in range(4):
                ask(self.world.http, f"{world.EVERYDAY} {rounds % 9}" if number else world.PATIENT)
            waiting = [(where, text) for where, text in waiting if not self.query(text)]
            threading.Event().wait(0.5)
        self.assertEqual(waiting, [], "no answer to these")


@contextlib.contextmanager
def free_port():
    """A free port; its socket is closed just before another program takes it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


if __name__ == "__main__":
    BINARIES = sys.argv.pop(1)
    unittest.main()
