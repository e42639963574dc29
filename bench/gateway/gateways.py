# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of the gateway benchmark: the upstream, ours, and the others, each started as its documentation says
for one upstream, on a port of its own, and the load."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, OTHER_CORE = CORES[0], CORES[-1]  # the load and the upstream share the other one

NGINX = """daemon off; worker_processes 1; worker_rlimit_nofile 40000; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 10000000; keepalive_timeout 600s; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream stub {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""

# Detection with its models, audit and metrics are on: they cannot be turned off.
OURS = """listen: {{grpc: "127.0.0.1:0", http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0"}}
anonymous: true
limits: {{in_flight_max: 50000}}
policy: {{mode: overflow, cloud_qps_threshold: {threshold}}}
local: {{endpoints: [{endpoints}]}}
cloud: {{enabled: {cloud}, base_url: "http://127.0.0.1:{upstream}/v1", model: stub, connections_max: 10000,
  concurrency_max: 100000, balance_interval: 0, api_key_file: {folder}/cloud.key}}
audit: {{directory: {folder}/audit, key_file: {folder}/audit.key}}
"""


def log_of(name):
    return open(os.path.join(tempfile.gettempdir(), f"bench-gateway-{name}.log"), "w", encoding="utf-8")


class Process:
    """One program with its children, on one core. `port` is where it answers."""

    def __init__(self, name, command, core, port=0, folder=None, says_port=None, environment=None):
        self.name, self.port, self.folder = name, port, folder
        command = ["taskset", "-c", str(core)] + [str(part) for part in command]
        self.log = log_of(name)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE if says_port else self.log, stderr=self.log,
                                        env={**os.environ, **(environment or {})}, start_new_session=True)
        if says_port:
            found = None
            for line in self.process.stdout:
                found = re.search(r"^listening .*" + says_port + r"=127\.0\.0\.1:(\d+)", line.decode())
                if found:
                    break
            if not found:
                self.stop()
                raise RuntimeError(f"{name} did not start: {self.log.name}")
            self.port = int(found.group(1))

    def pids(self):
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                        children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
                except OSError:
                    pass
        found = [self.process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICK

    def resident_kb(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
            except OSError:
                pass
        return total

    def ready(self, seconds=60):
        body = json.dumps({"model": "stub", "messages": [{"role": "user", "content": "Hello."}]}).encode()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/chat/completions", body,
                                                 {"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    if answer.status == 200 and b"token" in answer.read():
                        return self
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"{self.name} does not answer: {self.log.name}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def upstream(binaries, *options):
    return Process("upstream", [f"{binaries}/gateway-upstream", *options], OTHER_CORE, says_port="http")


def ours(binaries, upstream_port=1, engines=("127.0.0.1:1",), cloud=True, says="http", extra="", threshold=1000000):
    folder = tempfile.mkdtemp(prefix="bench-gateway-")
    os.makedirs(f"{folder}/audit")
    for key in ("audit.key", "cloud.key"):
        with open(os.open(f"{folder}/{key}", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("ab" * 32 + "\n")
    endpoints = ", ".join(f'{{name: e{i}, address: "{a}"}}' for i, a in enumerate(engines))
    with open(f"{folder}/router.yaml", "w", encoding="utf-8") as f:
        f.write(OURS.format(endpoints=endpoints, folder=folder, upstream=upstream_port, threshold=threshold,
                            cloud="true" if cloud else "false") + extra)
    command = [f"{binaries}/headgate-router", "--config", f"{folder}/router.yaml", "--log-level", "error"]
    return Process("headgate", command, GATEWAY_CORE, folder=folder, says_port=says)


def nginx(upstream_port):
    folder, port = tempfile.mkdtemp(prefix="bench-gateway-"), free_port()
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as f:
        f.write(NGINX.format(folder=folder, port=port, upstream=upstream_port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return Process("nginx", [program, "-p", folder, "-c", f"{folder}/nginx.conf"], GATEWAY_CORE, port, folder)


# How each is started beside one upstream, without keys, tracing or request logs.
PEERS = {
    "sglang-router": ("sglang-router", "launch", "--log-level", "warn"),
    "smg": ("smg", "launch", "--log-level", "warn"),
    "vllm-router": ("vllm-router", "--log-level", "warning"),
}


def peer(name, upstream_port):
    port = free_port()
    program, *options = PEERS[name]
    return Process(name, [os.path.join(os.path.dirname(sys.executable), program), *options, "--worker-urls",
                          f"http://127.0.0.1:{upstream_port}", "--host", "127.0.0.1", "--port", port, "--policy",
                          "round_robin", "--prometheus-port", free_port()], GATEWAY_CORE, port)


def litellm(program, upstream_port):
    folder, port = tempfile.mkdtemp(prefix="bench-gateway-"), free_port()
    with open(f"{folder}/config.yaml", "w", encoding="utf-8") as f:
        json.dump({"model_list": [{"model_name": "stub", "litellm_params": {
            "model": "openai/stub", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}}],
                   "litellm_settings": {"telemetry": False}}, f)
    return Process("litellm", [program, "--config", f"{folder}/config.yaml", "--host", "127.0.0.1", "--port", port,
                               "--num_workers", 1], GATEWAY_CORE, port, folder,
                   environment={"PATH": os.path.dirname(program) + ":" + os.environ["PATH"]})


WRK = """wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [==[%s]==]
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT [%%d, %%d, %%d, %%d, %%d]\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


# The same, but `#` in the body is another word each time. Letters only: digits could look like an identifier.
DISTINCT = """local body, n = wrk.body, os.time() * 7919
request = function()
  n = n + 1
  local word, rest = "", n
  repeat
    word, rest = word .. string.char(98 + rest % 20), math.floor(rest / 20)
  until rest == 0
  return wrk.format(nil, nil, nil, (body:gsub("#", word, 1)))
end
"""


def load(port, body, callers, seconds, distinct=False):
    """requests, us, errors, p50 and p99 in microseconds: closed loop, `callers` connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK % body + (DISTINCT if distinct else ""))
        script.flush()
        command = ["taskset", "-c", str(OTHER_CORE), "wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout", "30s",
                   "-s", script.name, f"http://127.0.0.1:{port}/v1/chat/completions"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(zip(("requests", "us", "errors", "p50", "p99"), json.loads(re.search(r"RESULT (.*)", out).group(1))))
