# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Headgate's router beside other gateways: one run, one upstream, in turn, medians. Prints rows
`name ours peer ratio target`, each scenario's when it has ended. README.md says what each row means.

run.py --bin FOLDER [--rounds 3] [--seconds 3] [--quick] [--only http,grpc,streams,memory,scale]"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import gateways

SIZES = (512, 16384)
CALLERS = (1, 16, 64, 256)
TOKENS = 16
SENTENCES = ("The canal carries grain and stone between the mills of the valley.", "Boats wait below the lock until "
             "the gate has opened.", "In spring the water stands high, and the keeper walks along the bank.",
             "Explain how a lock lifts a barge, step by step, for readers of ten years.",
             "Compare wooden gates with steel ones, and name what each is good for.")


def prompt(size):
    text = " ".join(itertools.islice(itertools.cycle(SENTENCES), size // 60 + 2))
    return text[:size]


def body(size, stream):
    return json.dumps({"model": "stub", "stream": stream, "messages": [{"role": "user", "content": prompt(size)}]},
                      separators=(",", ":"))


def row(name, ours, peer, target):
    print(f"{name} {ours:.4g} {peer:.4g} {ours / peer if peer else float('inf'):.3f} {target}", flush=True)


def note(text):
    print(f"run.py: {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.bin = arguments.bin
        self.seconds = 2 if arguments.quick else arguments.seconds
        self.rounds = 1 if arguments.quick else arguments.rounds

    # Whole and streamed answers over HTTP, all gateways in turn.

    def http(self):
        callers = (1, 16) if self.arguments.quick else CALLERS
        samples = {}
        with gateways.upstream(self.bin) as stub:
            started = self.start(stub.port)
            try:
                cases = list(itertools.product((False, True), SIZES, callers))
                for turn, (stream, size, c) in itertools.product(range(self.rounds), cases):
                    names = list(started)
                    for name in names[turn % len(names):] + names[:turn % len(names)]:
                        self.sample(samples, started[name], name, stream, size, c)
                    if c == 1:
                        self.sample(samples, stub, "upstream", stream, size, c)
                memory = {name: gateway.resident_kb() / 1024 for name, gateway in started.items()}
            finally:
                for gateway in started.values():
                    gateway.stop()
        self.http_rows(samples, memory, callers)

    def start(self, port):
        started = {"ours": gateways.ours(self.bin, port), "nginx": gateways.nginx(port)}
        for name in gateways.PEERS:
            try:
                started[name] = gateways.peer(name, port)
            except OSError as e:
                note(f"{name} left out: {e}")
        if self.arguments.litellm and not self.arguments.quick:
            started["litellm"] = gateways.litellm(self.arguments.litellm, port)
        for name in list(started):
            try:
                started[name].ready()
            except RuntimeError as e:
                if name == "ours":
                    raise
                note(f"{name} left out: {e}")
                del started[name]
        for name, gateway in started.items():  # what is made at the first requests is not measured
            for stream, size in itertools.product((False, True), SIZES):
                gateways.load(gateway.port, body(size, stream), 8, 1 if self.arguments.quick else 2)
        return started

    def sample(self, samples, gateway, name, stream, size, c):
        before = gateway.cpu_seconds()
        got = gateways.load(gateway.port, body(size, stream), c, self.seconds)
        cpu = gateway.cpu_seconds() - before
        if got["errors"]:
            note(f"{name}: {got['errors']} of {got['requests']} failed ({size} bytes, stream {stream}, {c} callers)")
        samples.setdefault((name, stream, size, c), []).append({
            "cpu": 1e6 * cpu / max(got["requests"], 1), "p50": got["p50"], "p99": got["p99"],
            "rate": 1e6 * got["requests"] / got["us"]})

    def http_rows(self, samples, memory, callers):
        def value(name, stream, size, c, what):
            return statistics.median(sample[what] for sample in samples[(name, stream, size, c)])

        names = [name for name in memory if name != "ours"]
        llm = [name for name in names if name != "nginx"]
        for stream, size, c in itertools.product((False, True), SIZES, callers):
            label = f"{'stream' if stream else 'whole'}_{size}_c{c}"
            mine = value("ours", stream, size, c, "cpu")
            if llm:
                best = min(llm, key=lambda n: value(n, stream, size, c, "cpu"))
                row(f"cpu_us_{label}_vs_best_gateway", mine, value(best, stream, size, c, "cpu"), "<=0.8")
            for name in names:
                target = "<=0.8" if name != "nginx" else "<=1.5"
                row(f"cpu_us_{label}_vs_{name}", mine, value(name, stream, size, c, "cpu"), target)
        for size in SIZES:
            c = 16
            mine = (value("ours", True, size, c, "cpu")) / TOKENS
            for name in names:
                row(f"cpu_us_per_token_{size}_c16_vs_{name}", mine, value(name, True, size, c, "cpu") / TOKENS,
                    "<=0.8" if name != "nginx" else "<=1.5")
            share = self.detection_us(size)
            row(f"cpu_us_detection_{size}_of_whole_c16", share, value("ours", False, size, c, "cpu"), "<=1")
            row(f"cpu_us_whole_{size}_c16_less_detection_vs_nginx", value("ours", False, size, c, "cpu") - share,
                value("nginx", False, size, c, "cpu"), "<=1.5")
        for stream, size, what in itertools.product((False, True), SIZES, ("p50", "p99")):
            bare = value("upstream", stream, size, 1, what)
            label = f"added_{what}_us_{'stream' if stream else 'whole'}_{size}_c1"
            mine = value("ours", stream, size, 1, what) - bare
            row(f"{label}_limit", mine, 150, "<=1")
            for name in names:
                row(f"{label}_vs_{name}", mine, max(value(name, stream, size, 1, what) - bare, 1), "<=1")
        # One write held back for an acknowledgement (Nagle) would cost 40 ms.
        row("plateau_p50_ms_stream_c1_limit", value("ours", True, SIZES[0], 1, "p50") / 1000, 20, "<=1")
        for stream, size, bound in itertools.product((False, True), SIZES, (5, 10, 50)):
            def frontier(name):
                rates = [value(name, stream, size, c, "rate") for c in callers
                         if value(name, stream, size, c, "p99") <= 1000 * bound]
                return max(rates, default=0)
            for name in names:
                row(f"time_per_request_p99_{bound}ms_{'stream' if stream else 'whole'}_{size}_vs_{name}",
                    1e6 / max(frontier("ours"), 1), 1e6 / max(frontier(name), 1),
                    "<=0.8" if name != "nginx" else "<=1.5")
        for name in names:
            row(f"resident_mb_vs_{name}", memory["ours"], memory[name], "<=1")

    def detection_us(self, size):
        """What the detection takes for the very prompt, measured alone."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            source, result = f"{folder}/in", f"{folder}/out"
            with open(source, "w", encoding="utf-8") as f:
                f.writelines(json.dumps({"text": prompt(size)}) + "\n" for _ in range(300))
            subprocess.run([f"{self.bin}/detect-bench", "texts", source, result], check=True, stdout=subprocess.DEVNULL)
            with open(result, encoding="utf-8") as f:
                return statistics.median(json.loads(line)["us"] for line in f)

    # gRPC in, gRPC out, beside a proxy that does nothing else.

    def grpc(self):
        program = f"{self.bin}/gateway-grpc"
        seconds = self.seconds
        with gateways.Process("leaf", [program, "leaf"], gateways.OTHER_CORE, says_port="grpc") as leaf, \
                gateways.Process("proxy", [program, "proxy", "--upstream", f"127.0.0.1:{leaf.port}"],
                                 gateways.GATEWAY_CORE, says_port="grpc") as proxy, \
                gateways.ours(self.bin, engines=(f"127.0.0.1:{leaf.port}",), cloud=False, says="grpc") as ours:
            time.sleep(1)  # the engine's first load report
            for stream, c in itertools.product((False, True), (1, 16) if self.arguments.quick else (1, 16, 64)):
                cpu, p50 = {"ours": [], "proxy": []}, {"ours": [], "proxy": []}
                for _ in range(self.rounds + 1):
                    for name, target in (("ours", ours), ("proxy", proxy)):
                        before = target.cpu_seconds()
                        got = self.calls(program, target.port, c, seconds, stream)
                        cpu[name].append(1e6 * (target.cpu_seconds() - before) / max(got["calls"], 1))
                        p50[name].append(got["p50_us"])
                label = f"{'stream' if stream else 'whole'}_512_c{c}"
                row(f"grpc_cpu_us_{label}", statistics.median(cpu["ours"][1:]), statistics.median(cpu["proxy"][1:]),
                    "<=1.3")
                row(f"grpc_p50_us_{label}", statistics.median(p50["ours"][1:]), statistics.median(p50["proxy"][1:]),
                    "<=2")

    def calls(self, program, port, c, seconds, stream):
        done = subprocess.run(["taskset", "-c", str(gateways.OTHER_CORE), program, "load", "--target",
                               f"127.0.0.1:{port}", "--callers", str(c), "--seconds", str(seconds)]
                              + (["--stream"] if stream else []), capture_output=True, text=True, check=False)
        got = json.loads(done.stdout)
        if got["failed"]:
            note(f"gRPC: {got['failed']} of {got['calls'] + got['failed']} failed")
        return got

    # Thousands of paced streams on one core.

    def streams(self):
        count = 2000 if self.arguments.quick else 10000
        frames = 12 if self.arguments.quick else 40
        with gateways.upstream(self.bin, "--interval-ms", 500, "--tokens", frames) as stub, \
                gateways.ours(self.bin, stub.port) as ours:
            time.sleep(0.5)
            rest, before = ours.resident_kb(), ours.cpu_seconds()
            command = ["taskset", "-c", str(gateways.OTHER_CORE), f"{self.bin}/gateway-streams", "--port",
                       str(ours.port), "--streams", str(count), "--frames", str(frames)]
            client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            most, begin = rest, time.monotonic()
            while client.poll() is None:
                time.sleep(0.25)
                most = max(most, ours.resident_kb())
            took = time.monotonic() - begin
            got = json.loads(client.stdout.read())
            note(f"streams: {got}")
            row(f"streams_{count}_frames_lost", got["expected"] - got["frames"], 0.5, "<=1")
            row(f"streams_{count}_broken", got["broken"], 0.5, "<=1")
            row(f"streams_{count}_kb_a_stream", (most - rest) / count, 48, "<=1")
            row(f"streams_{count}_core_share", (ours.cpu_seconds() - before) / took, 1, "<=1")
            row(f"streams_{count}_worst_gap_ms", got["worst_gap_ms"], 1000, "<=1")

    # Many requests, no two alike, whole and streamed in turn: memory stays where it is.

    def memory(self):
        wanted = 20000 if self.arguments.quick else self.arguments.requests
        with gateways.upstream(self.bin) as stub, gateways.ours(self.bin, stub.port) as ours:
            ours.ready()
            done, failed, early, shown, stream = 0, 0, 0, 0, False
            while done < wanted:
                text = body(512, stream).replace("The canal", "The canal #", 1)
                got = gateways.load(ours.port, text, 64, min(5, self.seconds), distinct=True)
                done, failed, stream = done + got["requests"], failed + got["errors"], not stream
                if early == 0 and done >= wanted / 4:
                    early = ours.resident_kb()
                if done - shown >= wanted / 10:
                    shown = done
                    note(f"memory: {done} requests, {failed} failed, {ours.resident_kb()} KB")
            row(f"memory_kb_after_{done}_requests_vs_quarter", ours.resident_kb(), early, "<=1.1")

    # The decision with many engines and tenants, by the router's own classes.

    def scale(self):
        out = subprocess.run([f"{self.bin}/gateway-decisions"], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            name, ours, peer, target = line.split()
            row(name, float(ours), float(peer), target)


SCENARIOS = ("http", "grpc", "streams", "memory", "scale")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1000000)
    parser.add_argument("--litellm", help="its program, in an environment of its own")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(SCENARIOS))
    bench = Bench(parser.parse_args())
    print("name ours peer ratio target", flush=True)
    for name in bench.arguments.only.split(","):
        if name not in SCENARIOS:
            sys.exit(f"run.py: no scenario {name}; there are {', '.join(SCENARIOS)}")
        note(f"{name}, load average {os.getloadavg()[0]:.1f}")
        getattr(bench, name)()


if __name__ == "__main__":
    main()
