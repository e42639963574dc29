# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Headgate's engine against llama-server, llama-bench and llama-batched-bench of the same source: one run, interleaved,
medians. Prints rows `name ours peer ratio target`; each when its scenario has ended, so a run that is cut short has
shown something. README.md says what each row means.

run.py --model GGUF --bin FOLDER --peers FOLDER [--runs 5] [--threads 2] [--only decode,victim,...]"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import servers

BATCHES = (1, 2, 4, 8, 16, 32)
WORDS = ("canal lock gate water boat bridge harbour river tide keeper lamp wall stone rope barge wind mill field road "
         "market tower garden letter engine copper signal winter summer morning evening").split()
# Never full before the 96 tokens of its row: an answer that ends early takes its prompt's time alone.
SCHEMA = json.dumps({"type": "object", "properties": {"name": {"type": "string", "maxLength": 120},
                                                      "items": {"type": "array", "minItems": 20, "maxItems": 20,
                                                                "items": {"type": "string", "minLength": 30,
                                                                          "maxLength": 40}}},
                     "required": ["name", "items"]})
fresh = itertools.count(int(time.time()) % 100000)


def words(count):
    """A text nobody has sent before: nothing of it is in anybody's cache."""
    seed = next(fresh)
    return f"{str(seed)[::-1]} is the number. " + " ".join(WORDS[(seed * 7 + i * (1 + seed % 11) + i // 7) % len(WORDS)]
                                         for i in range(count))


def story(count):
    return words(count) + ". Write a very long story with many chapters about these words."


def median(values):
    return statistics.median(values)


class Report:
    """Rows of five columns without spaces."""

    @staticmethod
    def row(name, ours, peer, target):
        ratio = ours / peer if peer else float("nan")
        print(f"{name} {ours:.4g} {peer:.4g} {ratio:.3f} {target}", flush=True)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.report = Report()
        self.runs = range(arguments.runs)

    def ours(self, *options, **more):
        server = self.our_start(*options, **more)
        server.ask("Say hello.", 1)  # it measures itself first: not while another server starts
        return server

    def our_start(self, *options, **more):
        return servers.Headgate(os.path.join(self.arguments.bin, "headgate-engine"), self.arguments.model,
                                self.arguments.threads, *options, **more)

    def theirs(self, *options):
        return servers.LlamaServer(os.path.join(self.arguments.peers, "llama-server"), self.arguments.model,
                                   self.arguments.threads, *options)

    def json_lines(self, *command):
        output = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True).stdout
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def facade(self, kind, count):
        lines = self.json_lines(os.path.join(self.arguments.bin, "engine-facade-bench"), self.arguments.model,
                                self.arguments.threads, kind, count)
        return lines[0]["tokens_per_second"]

    def decoding(self, answers):
        return self.facade("decode", answers)

    def batched_bench(self, answers):
        lines = self.json_lines(os.path.join(self.arguments.peers, "llama-batched-bench"), "-m", self.arguments.model,
                                "-t", self.arguments.threads, "-c", 16384, "-npp", 128, "-ntg", 64, "-npl", answers,
                                "--output-format", "jsonl")
        return next(line["speed_tg"] for line in lines if "pl" in line)

    @staticmethod
    def in_turn(run, *sides):
        """The machine's speed drifts within a minute: who is measured first changes from run to run."""
        return sides if run % 2 == 0 else sides[::-1]

    # 1 and 2: the library's own limit.

    def decode(self):
        for b in BATCHES:
            ours, peer = [], []
            for run in self.runs:
                for rates, rate in self.in_turn(run, (ours, self.decoding), (peer, self.batched_bench)):
                    rates.append(rate(b))
            self.report.row(f"decode_b{b}", median(ours), median(peer), ">=0.97")

    def prefill(self):
        ours, peer = [], []
        for _ in self.runs:
            ours.append(self.facade("prefill", 512))
            lines = self.json_lines(os.path.join(self.arguments.peers, "llama-bench"), "-m", self.arguments.model, "-t",
                                    self.arguments.threads, "-p", 512, "-n", 0, "-r", 1, "-o", "jsonl")
            peer.append(lines[0]["avg_ts"])
        self.report.row("prefill_512", median(ours), median(peer), ">=0.97")

    # 1: through the network, prompts of about 110 tokens and 64 of answer, prompt time included.

    def network(self):
        rates = {"ours": {b: [] for b in BATCHES}, "peer": {b: [] for b in BATCHES}}
        with self.ours() as ours, self.theirs() as peer:
            for run in self.runs:
                for b in BATCHES:
                    # New to both and the same for both. Several, where few run at a time.
                    rounds = [[(story(60), 64, {"system": servers.own_system()}) for _ in range(b)]
                              for _ in range(max(1, 4 // b))]
                    for name, server in self.in_turn(run, ("ours", ours), ("peer", peer)):
                        answered = [server.together(prompts) for prompts in rounds]
                        tokens = sum(answer.tokens for answers, _ in answered for answer in answers)
                        rates[name][b].append(tokens / sum(seconds for _, seconds in answered))
        for b in BATCHES:
            self.report.row(f"network_b{b}", median(rates["ours"][b]), median(rates["peer"][b]), ">=1.0")

    # 3: one stream running while a prompt of 3,000 words arrives.

    def victim_of(self, server):
        victim, thread = server.start(story(20), 600)
        while len(victim.times) < 5:
            time.sleep(0.01)
        arrival = time.monotonic()
        long = server.ask("Summarise: " + words(3000), 4)
        first = long.first()  # raises what went wrong
        thread.join()
        return victim.worst_gap(arrival, arrival + first) * 1000, first

    def victim(self):
        gaps, firsts = [[], [], []], [[], [], []]
        with self.ours() as ours, self.theirs() as peer, self.theirs("-b", "128") as small:
            for _ in self.runs:
                for i, server in enumerate((ours, peer, small)):
                    gap, first = self.victim_of(server)
                    gaps[i].append(gap)
                    firsts[i].append(first)
        self.report.row("victim_gap_ms_default", median(gaps[0]), median(gaps[1]), "<=0.05")
        self.report.row("victim_gap_ms_b128", median(gaps[0]), median(gaps[2]), "<=0.33")
        self.report.row("victim_first_token_s_b128", median(firsts[0]), median(firsts[2]), "<=1.2")

    # 4: callers that share a new system prompt.

    def shared_prefix(self):
        seconds = ([], [])
        with self.ours() as ours, self.theirs() as peer:
            for _ in self.runs:
                for i, server in enumerate((ours, peer)):
                    system = words(700)
                    _, took = server.together([(f"Caller {n}: say hello.", 16, {"system": system}) for n in range(32)])
                    seconds[i].append(took)
        self.report.row("shared_prefix_s", median(seconds[0]), median(seconds[1]), "<=0.1")

    # 5: interactive requests among 24 batch answers.

    def flood(self, server, interactive):
        """Seconds to the first token of each interactive request, and the batch's tokens a second."""
        firsts = []
        running = [server.start(story(30), 256, priority="batch") for _ in range(24)]
        while any(len(answer.times) < 2 for answer, _ in running):
            time.sleep(0.05)
        for _ in range(interactive):
            firsts.append(server.ask(story(60), 8, priority="interactive").first())
        for _, thread in running:
            thread.join()
        begin = min(answer.begin for answer, _ in running)
        end = max(answer.end for answer, _ in running)
        return firsts, sum(answer.tokens for answer, _ in running) / (end - begin)

    def priority(self):
        for label, options, p50, share in (("", (), "<=1.6", ">=0.95"), ("_small_steps", ("--batch-rows", "8"), "<=1.3",
                                                                      ">=0.8")):
            idle, busy, alone, disturbed = [], [], [], []
            with self.ours(*options) as ours, self.ours() as plain:
                for _ in self.runs:
                    idle += [ours.ask(story(60), 8, priority="interactive").first() for _ in range(5)]
                    alone.append(self.flood(plain, 0)[1])
                    firsts, rate = self.flood(ours, 6)
                    busy += firsts
                    disturbed.append(rate)
            self.report.row(f"priority_first_p50_s{label}", median(busy), median(idle), p50)
            if not label:
                self.report.row("priority_first_worst_s", max(busy), median(idle), "<=2.5")
            self.report.row(f"priority_batch_tokens_s{label}", median(disturbed), median(alone), share)

    # 6: cancel storm, no room for all, deadlines.

    def storm(self, ours):
        """Errors of the innocent, ends of the hurried that are neither an answer nor their deadline, and the mean
        seconds from a cancel until all is free."""
        freed = [ours.metric(f"headgate_engine_cancel_to_free_seconds_{part}") for part in ("sum", "count")]
        innocent = [ours.start(story(30), 128) for _ in range(4)]
        cancelled = [ours.start(story(60), 256, cancel_after=2) for _ in range(24)]
        hurried = [ours.start(story(60), 64, timeout=0.05 + i * 0.45 / 23) for i in range(24)]
        crowd = [ours.start(story(200), 400) for _ in range(16)]  # together four times the cells
        for _, thread in innocent + cancelled + hurried + crowd:
            thread.join()
        errors = sum(1 for answer, _ in innocent + crowd if answer.error)
        wrong = sum(1 for answer, _ in hurried if answer.error and "DEADLINE_EXCEEDED" not in answer.error)
        deadline = time.monotonic() + 10
        while ours.metric("vllm:num_requests_running") + ours.metric("vllm:num_requests_waiting") > 0:
            if time.monotonic() > deadline:
                raise RuntimeError("answers are made that nobody waits for")
            time.sleep(0.01)
        total, count = (ours.metric(f"headgate_engine_cancel_to_free_seconds_{part}") - before
                        for part, before in zip(("sum", "count"), freed))
        return errors, wrong, total / max(count, 1)

    def storms(self):
        with self.ours(context=4096) as ours:
            errors, wrong, seconds = zip(*[self.storm(ours) for _ in self.runs])
        self.report.row("storm_innocent_errors", sum(errors), 0.5, "<=1")  # of all runs
        self.report.row("storm_deadline_errors", sum(wrong), 0.5, "<=1")
        self.report.row("cancel_to_free_ms", 1000 * median(seconds), 1000, "<=1")

    # 7: a JSON schema on and off.

    def grammar(self):
        on, off = [], []
        with self.ours() as ours:
            for _ in self.runs:
                for schema, rates in (("", off), (SCHEMA, on)):
                    answers, seconds = ours.together([(story(30), 96, {"schema": schema}) for _ in range(4)])
                    rates.append(sum(answer.tokens for answer in answers) / seconds)
        self.report.row("grammar_tokens_s", median(on), median(off), ">=0.8")

    # 8: start to first token, and memory.

    def start_and_memory(self):
        starts, rest, used = ([], []), ([], []), ([], [])
        for _ in self.runs:
            for i, start in enumerate((self.our_start, self.theirs)):
                begin = time.monotonic()
                with start() as server:
                    starts[i].append(server.ask("Say hello.", 4).times[0] - begin)
                    rest[i].append(server.resident_bytes() / 1e6)
                    server.together([(story(60), 32, {}) for _ in range(32)])
                    used[i].append(server.resident_bytes() / 1e6)
        self.report.row("start_to_first_token_s", median(starts[0]), median(starts[1]), "<=1")
        self.report.row("memory_at_rest_mb", median(rest[0]), median(rest[1]), "<=1")
        self.report.row("memory_after_32_mb", median(used[0]), median(used[1]), "<=1")
        a_stream = [median([(after - before) / 32 for after, before in zip(*both)]) for both in zip(used, rest)]
        self.report.row("memory_per_stream_mb", *a_stream, "<=1")

    # 9: one other process that burns a core.

    def neighbour(self):
        calm, ours, peer = [], [], []
        for _ in self.runs:
            calm.append(self.decoding(1))
            burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                ours.append(self.decoding(1))
                peer.append(self.batched_bench(1))
            finally:
                burner.kill()
                burner.wait()
        self.report.row("neighbour_decode", median(ours), median(peer), ">=1.0")
        self.report.row("neighbour_decode_left", median(ours), median(calm), ">=0.4")


SCENARIOS = ("decode", "prefill", "network", "victim", "shared_prefix", "priority", "storms", "grammar",
             "start_and_memory", "neighbour")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default=",".join(SCENARIOS))
    arguments = parser.parse_args()
    bench = Bench(arguments)
    print("name ours peer ratio target", flush=True)
    for name in arguments.only.split(","):
        if name not in SCENARIOS:
            sys.exit(f"run.py: no scenario {name}; there are {', '.join(SCENARIOS)}")
        load = os.getloadavg()[0]
        if load > 1.0:
            print(f"run.py: load average {load:.1f} before {name}: figures are not final", file=sys.stderr)
        getattr(bench, name)()


if __name__ == "__main__":
    main()
