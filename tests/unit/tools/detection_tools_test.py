#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The generators of training data and of identifiers: the same seed gives the same bytes, spans lie on names, check
digits are right where they should be and wrong where they should be wrong."""

import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools")
sys.path[:0] = [os.path.join(TOOLS, "train"), os.path.join(TOOLS, "eval_detect")]

import evasions  # noqa: E402
import generate  # noqa: E402
import identifiers  # noqa: E402
from runner import wilson  # noqa: E402


def luhn_holds(number):
    return identifiers.luhn(number[:-1]) == number[-1]


def iban_holds(number):
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def resident_id_holds(number):
    return (
        sum(int(c) << (17 - i) for i, c in enumerate(number[:17])) + (10 if number[17] == "X" else int(number[17]))
    ) % 11 == 1


class DetectionToolsTest(unittest.TestCase):
    def test_same_seed_same_texts(self):
        first, second, other = (list(generate.documents(seed, 1, 1)) for seed in (7, 7, 8))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)
        self.assertEqual({d["lang"] for d in first}, {"zh", "en"})
        self.assertEqual({d["label"] for d in first}, {0, 1})

    def test_spans_lie_on_names(self):
        for document in generate.documents(7, 1, 1):
            data = document["text"].encode()
            for begin, end, kind in document.get("spans", ()):  # none where the text was put into JSON
                self.assertLess(begin, end)
                self.assertTrue(data[begin:end].decode().strip(), document)
                self.assertIn(kind, ("PERSON", "PUBLIC", "ADDRESS"))

    def test_no_slot_or_choice_is_left(self):
        for document in generate.documents(7, 1, 1):
            for slot in ("{p}", "{age}", "{money}", "{addr}", "{prose}"):
                self.assertNotIn(slot, document["text"])

    def test_check_digits(self):
        r = random.Random(1)
        for make, holds in (
            (identifiers.resident_id, resident_id_holds),
            (identifiers.bank_card, luhn_holds),
            (identifiers.iban, iban_holds),
        ):
            for _ in range(200):
                self.assertTrue(holds(make(r)), make)
                self.assertFalse(holds(make(r, good=False)), make)

    def test_every_evasion_changes_what_it_says(self):
        r = random.Random(1)
        for name, spell in evasions.SPELLINGS.items():
            (
                self.assertNotEqual(spell("4111111111111111", r), "4111111111111111", name)
                if name != "confusable"
                else None
            )
        self.assertNotEqual(evasions.SPELLINGS["confusable"]("ABC", r), "ABC")
        for name, place in evasions.PLACES.items():
            texts = "".join(
                str(message.get("content") or "") + str(message.get("tool_calls") or "")
                for message in place("4111111111111111", "card 4111111111111111 ok", r)
            )
            if not name.startswith("split"):
                self.assertIn("4111111111111111", texts, name)

    def test_wilson(self):
        low, high = wilson(50, 100)
        self.assertAlmostEqual(low, 0.404, 3)
        self.assertAlmostEqual(high, 0.596, 3)
        self.assertEqual(wilson(0, 0), (0.0, 1.0))


if __name__ == "__main__":
    unittest.main()
