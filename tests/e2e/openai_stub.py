#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for vLLM and SGLang in the end-to-end tests: their flags as the chart gives them (an unknown one ends it,
as it would them), their paths and the metrics that are looked at. openai_stub.py vllm|sglang FLAGS... Answers are the
served name, one token at a time."""

import argparse
import http.server
import json
import os
import signal
import sys
import threading

METRICS = {"vllm": ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"),
           "sglang": ("sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage")}
TOKENS = 8
TOKEN_SECONDS = 0.02


def flags(kind, words):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    if kind == "vllm":
        parser.add_argument("--model", required=True)
        parser.add_argument("--max-num-seqs", type=int, required=True)
    else:
        parser.add_argument("--model-path", dest="model", required=True)
        parser.add_argument("--max-running-requests", type=int, required=True)
        parser.add_argument("--enable-metrics", action="store_true", required=True)
    return parser.parse_args(words)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kind = name = None
    lock, running = threading.Lock(), 0

    def send(self, text, content_type="application/json"):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path == "/metrics":
            values = (Answers.running, 0, 0.1)
            self.send("".join(f'{name}{{model_name="{self.name}"}} {value}\n' for name, value in zip(
                METRICS[self.kind], values)), "text/plain; version=0.0.4")
        elif self.path == "/v1/models":
            self.send(json.dumps({"object": "list", "data": [{"id": self.name, "object": "model"}]}))
        elif self.path == "/health":
            self.send("{}")
        else:
            self.send_error(404)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/tokenize":
            return self.send(json.dumps({"count": len(json.dumps(asked)) // 4, "tokens": []}))
        if self.path != "/v1/chat/completions":
            return self.send_error(404)
        if asked["model"] != self.name or not asked["stream"]:
            return self.send_error(400)
        with self.lock:
            Answers.running += 1
        try:
            self.answer(min(TOKENS, asked.get("max_tokens") or asked.get("max_completion_tokens") or TOKENS))
        finally:
            with self.lock:
                Answers.running -= 1
        return None

    def answer(self, count):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

        def event(**more):
            data = "data: " + json.dumps({"object": "chat.completion.chunk", "model": self.name, **more}) + "\n\n"
            self.wfile.write(f"{len(data):x}\r\n{data}\r\n".encode())
        for _ in range(count):
            event(choices=[{"index": 0, "delta": {"content": self.name + " "}, "finish_reason": None}])
            threading.Event().wait(TOKEN_SECONDS)
        event(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}])
        event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": count, "total_tokens": count + 9})
        self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    def log_message(self, *_):
        pass


def main(kind, words):
    chosen = flags(kind, words)
    if not os.path.isfile(chosen.model):
        sys.exit(f"no model file {chosen.model}")
    wanted = {"DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    if any(os.environ.get(key) != value for key, value in wanted.items()):
        sys.exit(f"the environment does not say {wanted}")
    Answers.kind, Answers.name = kind, chosen.served_model_name
    server = http.server.ThreadingHTTPServer((chosen.host, chosen.port), Answers)
    server.daemon_threads = False  # an answer that began ends
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
