# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The load driver of the end-to-end tests; runs inside a pod:
python3 - HOST PORT SECONDS THREADS RATE SENSITIVE [TOKENS [tls]] < load.py

Streams chat completions for SECONDS, at most RATE a second in all (0 = as fast as answers come), SENSITIVE (0 to 1) of
them sensitive, each with a canary word, and prints one JSON object with what happened. The key is in HEADGATE_KEY.

What the contract promises is counted as `broken` when it does not hold: an answer that began (status 200) ends with
[DONE]; a request that was refused with a retry-after, or that met no listening router, succeeds when it comes again
within 30 s. Other answers are counted by status in `refused`.
"""

import collections
import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time

HOST, PORT, SECONDS, THREADS, RATE, SENSITIVE = (kind(value) for kind, value in zip(
    (str, int, float, int, float, float), sys.argv[1:7]))
TOKENS = int(sys.argv[7]) if len(sys.argv) > 7 else 16
TLS = "tls" in sys.argv[8:]  # of a certificate that is not looked at: other tests do
CANARY = "kingfisher-" + os.uname().nodename[-5:]
AGAIN_SECONDS = 30
ADDRESS = None
EVERYDAY = "Name one colour of the rainbow."
PATIENT = f"{CANARY}: patient Li Wei, resident ID 11010519491231002X, asks which colour calms."


class Pace:
    """Hands out the moments at which requests may start."""

    def __init__(self, rate):
        self.lock, self.rate, self.next = threading.Lock(), rate, time.monotonic()

    def wait(self):
        if self.rate <= 0:
            return
        with self.lock:
            at = max(self.next, time.monotonic())
            self.next = at + 1 / self.rate
        threading.Event().wait(max(0.0, at - time.monotonic()))


def once(connection, text):
    """(status, route, seconds to the first piece, whether [DONE] came, retry-after)"""
    body = json.dumps({"model": "", "stream": True, "max_tokens": TOKENS,
                       "messages": [{"role": "user", "content": text}]})
    begin, first, done = time.monotonic(), None, False
    connection.request("POST", "/v1/chat/completions", body, {
        "Content-Type": "application/json", "Authorization": "Bearer " + os.environ["HEADGATE_KEY"]})
    answer = connection.getresponse()
    route, again = answer.getheader("x-headgate-route"), answer.getheader("retry-after")
    if answer.status != 200:
        answer.read()
        return answer.status, route, None, False, again
    for line in answer:
        if line.startswith(b"data: ") and first is None:
            first = time.monotonic() - begin
        done = done or line.strip() == b"data: [DONE]"
    return 200, route, first, done, None


class Totals:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts, self.refused, self.broken = collections.Counter(), collections.Counter(), collections.Counter()
        self.first = []

    def add(self, **values):
        with self.lock:
            self.counts.update(values)

    def fail(self, why):
        with self.lock:
            self.broken[why] += 1


def connect():
    if TLS:
        return http.client.HTTPSConnection(ADDRESS, PORT, timeout=120, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(ADDRESS, PORT, timeout=120)


def request(totals, keep, text, kind):
    """One request to its end, coming again where the contract says so. Returns the connection to keep."""
    deadline, came_again = time.monotonic() + AGAIN_SECONDS, False
    while True:
        fresh = keep is None
        connection = keep or connect()
        keep = None
        try:
            status, route, first, done, again = once(connection, text)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            # Before a status: nothing was accepted. A kept connection may always have been closed meanwhile.
            if isinstance(error, http.client.IncompleteRead) or time.monotonic() > deadline:
                totals.fail(f"{kind}: {type(error).__name__}")
                return None
            totals.add(came_again=1, no_answer_fresh=int(fresh), no_answer_kept=int(not fresh))
            came_again = True
            threading.Event().wait(0.1)
            continue
        if status == 200:
            if not done:
                totals.fail(f"{kind}: an answer that began did not end")
                connection.close()
                return None
            totals.add(ok=1, **{f"{kind}_{route}": 1}, after_coming_again=int(came_again))
            with totals.lock:
                totals.first.append(first)
            return connection
        connection.close()
        if again is None or time.monotonic() > deadline:
            with totals.lock:
                totals.refused[status] += 1
                if again is not None:
                    totals.broken[f"{kind}: {status} for {AGAIN_SECONDS} s"] += 1
            return None
        totals.add(came_again=1, **{f"status_{status}": 1})
        came_again = True
        threading.Event().wait(0.2)


def worker(totals, pace, until, number):
    keep, count = None, number
    while True:
        pace.wait()
        if time.monotonic() >= until:
            return
        count += 1
        sensitive = (count * 0.6180339887) % 1 < SENSITIVE
        keep = request(totals, keep, PATIENT if sensitive else EVERYDAY, "sensitive" if sensitive else "everyday")
        if keep and count % 4 == 0:  # kept connections stick to a router: new ones meet new routers
            keep.close()
            keep = None


def address():
    """The Service's address never changes: the cluster's name server is not what is tested, and is asked once."""
    for _ in range(60):
        try:
            return socket.gethostbyname(HOST)
        except OSError:
            threading.Event().wait(1)
    sys.exit(f"{HOST} does not resolve")


def main():
    global ADDRESS
    ADDRESS = address()
    totals, pace, until = Totals(), Pace(RATE), time.monotonic() + SECONDS
    threads = [threading.Thread(target=worker, args=(totals, pace, until, number * 7)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = sorted(totals.first) or [0]
    print(json.dumps({**totals.counts, "refused": totals.refused, "broken": totals.broken, "canary": CANARY,
                      "first_p50_ms": round(first[len(first) // 2] * 1000),
                      "first_p99_ms": round(first[min(len(first) - 1, len(first) * 99 // 100)] * 1000)}))


main()
