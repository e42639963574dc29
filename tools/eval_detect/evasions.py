# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Ways to write a value so that a naive detector misses it. SPELLINGS change the value's characters, PLACES say
where in a request it stands. Each is applied alone and in pairs."""

import base64
import json

DIGITS = "0123456789"


def each(table):
    """A spelling by character; what the table lacks stays."""
    return lambda value, r: "".join(table.get(c, c) for c in value)


def mapped(zero):
    return each({c: chr(zero + i) for i, c in enumerate(DIGITS)})


def numerals(characters):
    return each(dict(zip(DIGITS, characters)))


def full_width(value, r):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value)


def math_bold(value, r):
    def bold(c):
        if c in DIGITS:
            return chr(0x1D7CE + ord(c) - 48)
        if "a" <= c <= "z":
            return chr(0x1D41A + ord(c) - 97)
        return chr(0x1D400 + ord(c) - 65) if "A" <= c <= "Z" else c

    return "".join(map(bold, value))


def inside(character):
    """An invisible character between some of the value's own."""
    return lambda value, r: "".join(
        c + (character if i % 3 == 1 and i + 1 < len(value) else "") for i, c in enumerate(value)
    )


def separated(separator, group=4):
    def apply(value, r):
        if not value.isascii() or sum(c in DIGITS for c in value) < 6 or not value.isalnum():
            return value
        return separator.join(value[i : i + group] for i in range(0, len(value), group))

    return apply


WORDS = "zero one two three four five six seven eight nine".split()


def spelled_english(value, r):
    if not value or any(c not in DIGITS for c in value):
        return value
    return " ".join(WORDS[int(c)] for c in value)


def confusable(value, r):
    table = dict(zip("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ"))
    return "".join(table.get(c, c) for c in value)


def json_escape(value, r):
    return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in value)


SPELLINGS = {
    "full_width": full_width,
    "circled": each({"0": "⓪", **{str(i): chr(0x245F + i) for i in range(1, 10)}}),
    "math_bold": math_bold,
    "keycap": each({c: c + "\ufe0f\u20e3" for c in DIGITS}),
    "arabic_indic": mapped(0x0660),
    "zh_plain": numerals("〇一二三四五六七八九"),
    "zh_financial": numerals("零壹贰叁肆伍陆柒捌玖"),
    "zh_spoken": numerals("洞幺两三四五六拐八九"),
    "english_words": spelled_english,
    "zero_width": inside("\u200b"),
    "soft_hyphen": inside("\u00ad"),
    "bidi": lambda value, r: "\u202d" + value + "\u202c",
    "confusable": confusable,
    "sep_space": separated(" "),
    "sep_dash": separated("-"),
    "sep_dot": separated("."),
    "sep_slash": separated("/"),
    "sep_underscore": separated("_"),
    "sep_zh_comma": separated("、"),
    "sep_newline": separated("\n"),
    "single_spaces": separated(" ", 1),
    "glued_zh": lambda value, r: "号" + value + "请查",
    "glued_latin": lambda value, r: "no" + value + "ok",
    "base64": lambda value, r: base64.b64encode(("value=" + value).encode()).decode(),
    "hex": lambda value, r: ("value=" + value).encode().hex(),
    "url": lambda value, r: "".join(f"%{b:02X}" for b in value.encode()),
    "html_decimal": lambda value, r: "".join(f"&#{ord(c)};" for c in value),
    "html_hex": lambda value, r: "".join(f"&#x{ord(c):x};" for c in value),
    "json_escape": json_escape,
}


# What readers undo last: nobody writes the digits of a base64 text in words.
ENCODINGS = ("base64", "hex", "url", "html_decimal", "html_hex", "json_escape")
# Of runs of digits only: single digits in words are ordinary language.
NUMERALS = ("zh_plain", "zh_financial", "zh_spoken", "english_words")


def user(text):
    return [{"role": "user", "content": text}]


def split(parts):
    def apply(value, text, r):
        before, _, after = text.partition(value)
        size = max(1, len(value) // parts)
        cuts = [value[i * size : (i + 1) * size if i + 1 < parts else None] for i in range(parts)]
        texts = [before + cuts[0]] + cuts[1:-1] + [cuts[-1] + after]
        messages = []
        for i, piece in enumerate(texts):
            messages.append({"role": "user", "content": piece})
            if i + 1 < len(texts):
                messages.append({"role": "assistant", "content": "ok"})
        return messages if parts == 2 else [m for m in messages if m["role"] == "user"]

    return apply


def tool_call(value, text, r):
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "lookup", "arguments": json.dumps({"query": text})},
    }
    return (
        user("look it up")
        + [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
        ]
        + user("and now?")
    )


def tool_result(value, text, r):
    call = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    return user("look it up") + [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"row": text})},
    ]


FILLER = "The river was calm and the town was quiet that evening. 河水平静，小镇安宁。 "

PLACES = {
    "plain": lambda value, text, r: user(text),
    "code": lambda value, text, r: user(
        f"```python\n# {text.replace(value, '')}\nvalue = \"{value}\"\nprint(value)\n```\nwhy does it fail?"
    ),
    "table": lambda value, text, r: user(f"| field | value |\n|---|---|\n| a | {text} |\n| b | 2 |"),
    "xml": lambda value, text, r: user(f"<row><note>{text}</note></row>"),
    "json_value": lambda value, text, r: user(json.dumps({"rows": [{"note": text}]}, ensure_ascii=False)),
    "json_key": lambda value, text, r: user(json.dumps({text: True}, ensure_ascii=False)),
    "tool_call": tool_call,
    "tool_result": tool_result,
    "system": lambda value, text, r: [{"role": "system", "content": text}] + user("hello"),
    "earlier_turn": lambda value, text, r: user(text)
    + [{"role": "assistant", "content": "noted"}]
    + user("thanks"),
    "split_2": split(2),
    "split_3": split(3),
    "after_100000": lambda value, text, r: user(FILLER * (100000 // len(FILLER)) + text),
}
