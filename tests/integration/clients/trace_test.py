# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""A W3C trace context through the real programs: trace_test.py BINARIES. Taken over by both front doors, in the logs of
router and engine, and nowhere in what the cloud gets."""

import base64
import http.client
import json
import pathlib
import re
import sys
import unittest

import world

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class TraceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(world.World(BINARIES))

    def ask(self, text, traceparent, request):
        connection = http.client.HTTPConnection(self.world.http, timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"messages": [{"role": "user", "content": text}], "max_tokens": 2}),
            {"content-type": "application/json", "authorization": "Bearer " + world.KEY, "x-request-id": request,
             **({"traceparent": traceparent} if traceparent else {})})
        answer = connection.getresponse()
        answer.read()
        self.addCleanup(connection.close)
        self.assertEqual(answer.status, 200)
        return answer.getheader("x-headgate-route")

    def log(self, program, request):
        text = (self.world.folder / (program + ".log")).read_text()
        return [line for line in text.split("\n") if f"traced request={request} " in line]

    def test_goes_on_to_the_engine(self):
        self.assertEqual(self.ask(world.PATIENT, f"00-{TRACE}-{SPAN}-01", "local-one"), "local")
        router, engine = self.log("headgate-router", "local-one"), self.log("headgate-engine", "local-one")
        self.assertEqual((len(router), len(engine)), (1, 1))
        self.assertIn(f"trace={TRACE} parent={SPAN} span=", router[0])
        span = re.search(r"span=([0-9a-f]{16})", router[0]).group(1)
        self.assertNotEqual(span, SPAN)
        self.assertIn(f"trace={TRACE} parent={span}", engine[0])

    def test_never_goes_to_the_cloud(self):
        self.assertEqual(self.ask(world.EVERYDAY, f"00-{TRACE}-{SPAN}-01", "cloud-one"), "cloud")
        span = re.search(r"span=([0-9a-f]{16})", self.log("headgate-router", "cloud-one")[0]).group(1)
        connection = http.client.HTTPConnection(self.world.emulator, timeout=60)
        connection.request("GET", "/__records")
        record = json.loads(connection.getresponse().read())
        connection.close()
        sent = b"".join(base64.b64decode(one) for one in record["connections"]).lower()
        self.assertIn(b"canal", sent, "the record has the question, or the check would see nothing")
        for word in (TRACE, SPAN, span, "traceparent"):
            self.assertNotIn(word.encode(), sent)

    def test_what_is_malformed_is_no_trace(self):
        for number, header in enumerate((None, "", "00-" + "0" * 32 + f"-{SPAN}-01", f"00-{TRACE}-{SPAN}", "x" * 5000)):
            with self.subTest(header=header and header[:60]):
                self.ask(world.PATIENT, header, f"none-{number}")
                self.assertEqual(self.log("headgate-router", f"none-{number}"), [])
                self.assertEqual(self.log("headgate-engine", f"none-{number}"), [])


if __name__ == "__main__":
    BINARIES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
