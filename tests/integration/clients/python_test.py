# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The Python examples and the unmodified openai package against the real programs: python_test.py BINARIES BUILD."""

import base64
import http.client
import json
import sys
import unittest

import world
from world import EVERYDAY, KEY, PATIENT, ROOT

try:
    import openai
except ImportError:
    world.skip("no openai package: run through ./dev test, which sets HEADGATE_TEST_PYTHON")

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "Weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


class PythonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(world.World(BINARIES))
        cls.router = cls.client()

    @classmethod
    def client(cls, key=KEY):
        client = openai.OpenAI(base_url=f"http://{cls.world.http}/v1", api_key=key, max_retries=0,
                               http_client=openai.DefaultHttpxClient(trust_env=False))
        cls.addClassCleanup(client.close)
        return client

    def tearDown(self):
        self.control({"default": {}})

    def control(self, orders):
        connection = http.client.HTTPConnection(self.world.emulator, timeout=10)
        connection.request("POST", "/__control", json.dumps(orders))
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def cloud_saw(self):
        """All bytes that the emulator was sent by now."""
        connection = http.client.HTTPConnection(self.world.emulator, timeout=10)
        connection.request("GET", "/__records")
        records = json.loads(connection.getresponse().read())
        connection.close()
        return b"".join(base64.b64decode(record) for record in records["connections"])

    def chat(self, text=EVERYDAY, **more):
        return self.router.chat.completions.create(model="", messages=[{"role": "user", "content": text}],
                                                   max_tokens=8, **more)

    def example(self, name, *arguments, **environment):
        return self.world.run(sys.executable, ROOT / "examples/python" / name, *arguments, **environment)

    def test_grpc_example(self):
        world.check_routes(self, lambda *arguments: self.example("grpc_chat.py", *arguments))

    def test_openai_example(self):
        for question, level, route in ((EVERYDAY, "", "cloud"), (PATIENT, "", "local"),
                                       (EVERYDAY, "confidential", "local")):
            with self.subTest(question=question, level=level):
                ended = self.example("openai_chat.py", question, level)
                self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
                self.assertTrue(ended.stdout.startswith(f"route: {route} "), ended.stdout)
                self.assertIn(f"\nstreamed route: {route}\n", ended.stdout)
                self.assertRegex(ended.stdout, r"\nfinish: (stop|length) [1-9]\d* tokens\n")
                self.assertRegex(ended.stdout, r"\nstreamed: [1-9]\d* tokens\n$")

    def test_examples_say_what_went_wrong(self):
        for name, said in (("grpc_chat.py", "error: UNAUTHENTICATED: "), ("openai_chat.py", "error: 401: ")):
            with self.subTest(name=name):
                ended = self.example(name, HEADGATE_API_KEY="another")
                self.assertEqual(ended.returncode, 1)
                self.assertTrue(ended.stderr.startswith(said), ended.stderr)

    def test_whole_and_streamed_say_the_same(self):
        for level in ("public", "restricted"):
            with self.subTest(level=level):
                headers = {"x-headgate-sensitivity": level}
                whole = self.chat(extra_headers=headers, temperature=0)
                chunks = list(self.chat(extra_headers=headers, temperature=0, stream=True,
                                        stream_options={"include_usage": True}))
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
                self.assertTrue(text)
                self.assertEqual(text, whole.choices[0].message.content)
                self.assertEqual(whole.choices[0].message.role, "assistant")
                self.assertEqual(chunks[-1].usage.total_tokens, whole.usage.total_tokens)
                self.assertEqual(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens)

    def test_tool_calls(self):
        call = self.chat(tools=[WEATHER], tool_choice="required").choices[0]
        self.assertEqual(call.finish_reason, "tool_calls")
        call = call.message.tool_calls[0]
        self.assertEqual((call.type, call.function.name), ("function", "weather"))
        self.assertTrue(call.id)

        streamed = [chunk.choices[0] for chunk in self.chat(tools=[WEATHER], tool_choice="required",
                                                               stream=True)]
        deltas = [delta for choice in streamed for delta in choice.delta.tool_calls or []]
        self.assertEqual((deltas[0].function.name, deltas[0].id), ("weather", call.id))
        self.assertEqual("".join(delta.function.arguments or "" for delta in deltas), call.function.arguments)
        self.assertEqual(streamed[-1].finish_reason, "tool_calls")

        # The package's own objects go back as they are.
        answer = self.router.chat.completions.create(model="", max_tokens=8, tools=[WEATHER], messages=[
            {"role": "user", "content": EVERYDAY},
            {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"}])
        self.assertTrue(answer.choices[0].message.content)

    def test_batches(self):
        def line(name, text, **more):
            body = {"model": "", "messages": [{"role": "user", "content": text}], "max_tokens": 8, **more}
            return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})

        lines = [line("everyday", EVERYDAY), line("patient", PATIENT), line("bad", EVERYDAY, temperature=9)]
        before = self.cloud_saw()
        file = self.router.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
        self.assertEqual(self.router.files.content(file.id).text, "\n".join(lines))
        batch = self.router.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                           completion_window="24h", metadata={"name": "nightly"})
        for _ in range(20000):  # asked again until it is over
            if batch.status in ("completed", "failed"):
                break
            batch = self.router.batches.retrieve(batch.id)
        counts = batch.request_counts
        self.assertEqual((batch.status, counts.total, counts.completed, counts.failed), ("completed", 3, 2, 1))
        answers = {}
        for text in self.router.files.content(batch.output_file_id).text.splitlines():
            answer = json.loads(text)
            answers[answer["custom_id"]] = answer["response"]["body"]["choices"][0]["message"]["content"]
        self.assertEqual(set(answers), {"everyday", "patient"})
        self.assertTrue(all(answers.values()))
        failed = json.loads(self.router.files.content(batch.error_file_id).text)
        self.assertEqual((failed["custom_id"], failed["response"]["status_code"]), ("bad", 400))
        self.assertEqual(failed["response"]["body"]["error"]["param"], "temperature")
        saw = self.cloud_saw()
        self.assertEqual(saw.count(b"POST /"), before.count(b"POST /") + 1, "the everyday line")
        self.assertNotIn(PATIENT.encode(), saw)
        self.assertEqual([item.id for item in self.router.batches.list()], [batch.id])
        self.assertTrue(self.router.files.delete(file.id).deleted)
        with self.assertRaises(openai.AuthenticationError):
            self.client("another").files.list()

    def test_errors_are_the_packages_own(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.chat(temperature=9)
        self.assertEqual((raised.exception.type, raised.exception.param),
                         ("invalid_request_error", "temperature"))
        self.assertTrue(raised.exception.request_id)
        rows = ((openai.AuthenticationError, lambda: self.client("another").models.list()),
                (openai.AuthenticationError, lambda: self.client("another").chat.completions.create(
                    model="", messages=[{"role": "user", "content": EVERYDAY}], stream=True)),
                (openai.NotFoundError, lambda: self.router.models.retrieve("none")),
                (openai.BadRequestError, lambda: self.chat(extra_headers={"x-headgate-sensitivity": "secret"})),
                (openai.BadRequestError, lambda: self.chat(extra_body={"frobnicate": 1})))
        for number, (kind, call) in enumerate(rows):
            with self.subTest(number=number):
                self.assertRaises(kind, call)

    def test_a_cut_stream_raises(self):
        self.control({"default": {"end": "malformed", "end_after": 3}})
        with self.assertRaises(openai.APIError) as raised:
            list(self.chat(stream=True))
        self.assertEqual(raised.exception.code, "unavailable")

    def test_other_calls(self):
        ids = [model.id for model in self.router.models.list()]
        self.assertIn("reference", ids)
        self.assertEqual(self.router.models.retrieve("reference").owned_by, "headgate")
        text = self.router.completions.create(model="", prompt="Once", max_tokens=4)
        self.assertEqual(text.object, "text_completion")
        self.assertTrue(text.choices[0].text)
        streamed = list(self.router.completions.create(model="", prompt="Once", max_tokens=4, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in streamed if chunk.choices), text.choices[0].text)
        vectors = self.router.embeddings.create(model="reference", input=["a canal", "a gate"])  # always local
        self.assertEqual([entry.index for entry in vectors.data], [0, 1])
        self.assertTrue(all(entry.embedding for entry in vectors.data))


if __name__ == "__main__":
    BINARIES = sys.argv[1]
    del sys.argv[1:3]
    unittest.main()
