# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Identifiers with a check digit in disguises that the evasions (evasions.py) do not have: mixed scripts, words of
other kinds, tables, lists, code, parts in many places.

    disguises.py BIN OUT     measures `BIN classify`, writes OUT/found.jsonl and OUT/missed.jsonl

A row counts as found when its own type is among the reasons: words around it do not help.
"""

import base64
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from identifiers import bank_card, iban, resident_id  # noqa: E402
from runner import Table, classify  # noqa: E402

SEED = 8230417
KINDS = {
    "resident_id": (
        resident_id,
        "CN_RESIDENT_ID",
        {"zh": "我的身份证号是 {} ，请核对。", "en": "My resident ID is {} . Please check it."},
    ),
    "bank_card": (
        bank_card,
        "BANK_CARD",
        {"zh": "我的银行卡号是 {} ，请核对。", "en": "My card number is {} . Please check it."},
    ),
    "iban": (iban, "IBAN", {"zh": "收款账号是 {} ，请核对。", "en": "Please pay to IBAN {} . Thank you."}),
}
ENGLISH = "zero one two three four five six seven eight nine".split()
TENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
DECADES = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
NATO = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa Quebec "
        "Romeo Sierra Tango Uniform Victor Whiskey Xray Yankee Zulu".split(),
    )
)
NATO.update(zip("0123456789", "Zero One Two Tree Fower Fife Six Seven Eight Niner".split()))
PINYIN = "ling yi er san si wu liu qi ba jiu".split()
GERMAN = "null eins zwei drei vier fünf sechs sieben acht neun".split()
FRENCH = "zéro un deux trois quatre cinq six sept huit neuf".split()
SPANISH = "cero uno dos tres cuatro cinco seis siete ocho nueve".split()
ROMAN = "N I II III IV V VI VII VIII IX".split()
FINANCIAL = "零壹贰叁肆伍陆柒捌玖"
PLAIN = "〇一二三四五六七八九"
HOMOPHONES = "灵衣尔伞斯舞溜妻霸酒"
FRUIT = "apple pear plum fig date lime kiwi mango peach grape melon lemon".split()
SCRIPTS = [0x30, 0xFF10, 0x660, 0x966, 0x1D7CE, 0xE50, 0x6F0, 0x1D7F6, 0x9E6]


def words(table, gap=" "):
    return lambda v, r: gap.join(table[int(c)] if c.isdigit() else c for c in v)


def chars(table):
    return lambda v, r: "".join(table[int(c)] if c.isdigit() else c for c in v)


def apart(gap):
    return lambda v, r: gap.join(v)


def around(left, right, gap=""):
    return lambda v, r: gap.join(left + c + right for c in v)


def groups(v, n=4):
    return [v[i : i + n] for i in range(0, len(v), n)]


def joined(gap, n=4):
    return lambda v, r: gap.join(groups(v, n))


def parts(v, n=3):
    size = -(-len(v) // n)
    return [v[i : i + size] for i in range(0, len(v), size)]


def mixed_scripts(v, r):
    return "".join(chr(SCRIPTS[i % len(SCRIPTS)] + int(c)) if c.isdigit() else c for i, c in enumerate(v))


def mixed_numerals(v, r):
    tables = ["0123456789", PLAIN, FINANCIAL, "０１２３４５６７８９", "⓪①②③④⑤⑥⑦⑧⑨"]
    return "".join(tables[i % 5][int(c)] if c.isdigit() else c for i, c in enumerate(v))


def english_and_digits(v, r):
    return " ".join(ENGLISH[int(c)] if c.isdigit() and i % 2 else c for i, c in enumerate(v))


def doubles(v, r):
    out, i = [], 0
    while i < len(v):
        run = 1
        while i + run < len(v) and v[i + run] == v[i] and run < 3:
            run += 1
        word = ENGLISH[int(v[i])] if v[i].isdigit() else v[i]
        out.append({1: "", 2: "double ", 3: "triple "}[run] + word)
        i += run
    return " ".join(out)


def tens(v, r):
    out = []
    for pair in groups(v, 2):
        if not pair.isdigit() or len(pair) < 2:
            out.append(" ".join(ENGLISH[int(c)] if c.isdigit() else c for c in pair))
        elif pair[0] == "0":
            out.append("oh " + ENGLISH[int(pair[1])])
        elif pair[0] == "1":
            out.append(TENS[int(pair[1])])
        else:
            out.append(DECADES[int(pair[0])] + ("" if pair[1] == "0" else "-" + ENGLISH[int(pair[1])]))
    return " ".join(out)


def mixed_signs(v, r):
    signs = ["-", "#", ".", "~", "/", "=", ":", "*", " ", "^"]
    out = ""
    for i, group in enumerate(groups(v, 3)):
        out += (signs[(i + len(v)) % len(signs)] if out else "") + group
    return out


def leet(v, r):
    return v.translate(str.maketrans("0134578", "OIEASTB")) if not v[:2].isalpha() else v[:4] + v[4:].translate(
        str.maketrans("015", "OIS")
    )


def numbered_list(v, r):
    return "\n" + "\n".join(f"{i + 1}. {c}" for i, c in enumerate(v)) + "\n"


def numbered_rows(v, r):
    rows = "\n".join(f"| {i + 1} | {part} |" for i, part in enumerate(parts(v)))
    return f"\n| no | part |\n|---|---|\n{rows}\n"


def csv_rows(v, r):
    return "\nrow,part\n" + "\n".join(f"{i + 1},{part}" for i, part in enumerate(parts(v))) + "\n"


def csv_line(v, r):
    return "\na,b,c\n" + ",".join(parts(v)) + "\n"


def json_parts(v, r):
    return json.dumps({f"part{i + 1}": part for i, part in enumerate(parts(v))})


def json_numbers(v, r):
    return json.dumps([int(c) if c.isdigit() else c for c in v])


def positions(v, r):
    return json.dumps({str(i): c for i, c in enumerate(v)})


def variables(v, r):
    a, b, c = (parts(v) + ["", ""])[:3]
    return f"`a = '{a}'; b = '{b}'; c = '{c}'; print(a + b + c)`"


def template(v, r):
    a, b, c = (parts(v) + ["", ""])[:3]
    return f"`'%s%s%s' % ('{a}', '{b}', '{c}')`"


def messages(gap):
    def apply(v, r):
        return [{"role": "user", "content": gap.format(part)} for part in v]

    return apply


def talk(v, r):
    said = ["It begins with {}.", "Then comes {}.", "After that {}.", "It ends in {}."]
    return [{"role": "user", "content": said[min(i, 3)].format(p)} for i, p in enumerate(parts(v, 4))]


def talk_zh(v, r):
    said = ["开头是{}", "接着是{}", "然后{}", "最后{}"]
    return [{"role": "user", "content": said[min(i, 3)].format(p)} for i, p in enumerate(parts(v, 4))]


def answered(v, r):
    out = []
    for part in parts(v, 4):
        out += [{"role": "user", "content": part}, {"role": "assistant", "content": "Got it, go on."}]
    return out


def tool_u(v, r):
    escaped = "".join(f"\\u{ord(c):04x}" for c in v)
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":"' + escaped + '"}'}}
    return [
        {"role": "user", "content": "find it"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "none"},
    ]


def tool_parts(v, r):
    calls = [
        {
            "id": f"c{i}",
            "type": "function",
            "function": {"name": "put", "arguments": json.dumps({"index": i, "text": part})},
        }
        for i, part in enumerate(parts(v))
    ]
    return [{"role": "user", "content": "put them"}, {"role": "assistant", "content": None, "tool_calls": calls}]


def percent(times):
    def apply(v, r):
        for _ in range(times):
            v = "".join(f"%{b:02x}" for b in v.encode()) if "%" not in v else v.replace("%", "%25")
        return v

    return apply


def bits4(v, r):
    return " ".join(f"{int(c):04b}" if c.isdigit() else c for c in v)


def decimal_codes(v, r):
    return "".join(str(ord(c)) for c in v)


def uuencoded(v, r):
    import binascii

    return "\n" + binascii.b2a_uu(v.encode()).decode()


def utf7(v, r):
    return "+" + base64.b64encode(v.encode("utf-16-be")).decode().rstrip("=") + "-"


def between_words(v, r):
    return " ".join(f"{c} {r.choice(FRUIT)}" for c in v)


def alternating(v, r):
    return "".join(c + r.choice("ghjkmnpqrstuvw") for c in v)


def ordinals(v, r):
    return ", ".join(f"digit {i + 1} is {c}" for i, c in enumerate(v))


def ordinals_zh(v, r):
    return "，".join(f"第{i + 1}位是{c}" for i, c in enumerate(v))


def gapped(v, r):
    return "".join(c + (" " * r.randint(4, 7)) for c in v).strip()


# name -> (write, [kinds it fits, all when empty])
DIGITS = ["resident_id", "bank_card"]
DISGUISES = {
    "mixed_scripts": (mixed_scripts, []),
    "mixed_numerals": (mixed_numerals, []),
    "financial_apart": (words(FINANCIAL), []),
    "financial_hyphens": (words(FINANCIAL, "-"), []),
    "suzhou_numerals": (chars("〇〡〢〣〤〥〦〧〨〩"), DIGITS),
    "braille": (chars("⠚⠁⠃⠉⠙⠑⠋⠛⠓⠊"), DIGITS),
    "parenthesised": (chars(["0"] + [chr(0x2474 + i) for i in range(9)]), []),
    "ideographs_in_brackets": (chars(["〇"] + [chr(0x3220 + i) for i in range(9)]), DIGITS),
    "segment_digits": (chars([chr(0x1FBF0 + i) for i in range(10)]), []),
    "superscript": (chars("⁰¹²³⁴⁵⁶⁷⁸⁹"), []),
    "subscript": (chars("₀₁₂₃₄₅₆₇₈₉"), []),
    "homophones": (chars(HOMOPHONES), DIGITS),
    "spoken_hyphens": (words(["洞", "幺", "两", "三", "四", "五", "六", "拐", "八", "勾"], "-"), DIGITS),
    "struck_through": (around("", "\u0336"), []),
    "circle_marks": (around("", "\u20dd"), []),
    "cyrillic_marks": (around("", "\u0489"), []),
    "arabic_marks": (around("", "\u064e"), []),
    "bidi_override": (lambda v, r: "\u202e" + v[::-1] + "\u202c", []),
    "bidi_isolates": (around("\u2066", "\u2069"), []),
    "soft_hyphens": (apart("\u00ad"), []),
    "hangul_fillers": (apart("\u3164"), []),
    "roman": (words(ROMAN), DIGITS),
    "roman_dots": (words(ROMAN, "."), DIGITS),
    "nato": (lambda v, r: " ".join(NATO[c] for c in v), []),
    "nato_hyphens": (lambda v, r: "-".join(NATO[c] for c in v), []),
    "pinyin": (words(PINYIN), DIGITS),
    "german": (words(GERMAN), DIGITS),
    "french": (words(FRENCH), DIGITS),
    "spanish": (words(SPANISH), DIGITS),
    "english_commas": (words(ENGLISH, ", "), []),
    "english_dots": (words(ENGLISH, " ... "), []),
    "english_capitals": (words([w.upper() for w in ENGLISH], ""), DIGITS),
    "english_and_digits": (english_and_digits, []),
    "english_doubles": (doubles, []),
    "english_pairs": (tens, DIGITS),
    "emoji_names": (lambda v, r: "".join(f":{ENGLISH[int(c)]}:" if c.isdigit() else c for c in v), []),
    "padded_digits": (lambda v, r: " ".join("0" + c for c in v), DIGITS),
    "padded_commas": (lambda v, r: ",".join("0" + c for c in v), DIGITS),
    "padded_front": (lambda v, r: v.rjust(24, "0"), DIGITS),
    "square_brackets": (around("[", "]"), []),
    "round_brackets": (around("(", ")"), []),
    "curly_brackets": (around("{", "}"), []),
    "han_brackets": (around("【", "】"), []),
    "quotes_each": (around("'", "'", ","), []),
    "angle_brackets": (around("<", ">"), []),
    "backticks": (around("`", "`", " "), []),
    "stars": (around("**", "**"), []),
    "strikes": (around("~~", "~~"), []),
    "latex_spaces": (apart("\\,"), []),
    "latex_braces": (lambda v, r: "$" + "".join("{" + c + "}" for c in v) + "$", []),
    "comments": (joined("<!-- x -->"), []),
    "spans": (around("<span>", "</span>"), []),
    "word_breaks": (joined("<wbr>"), []),
    "entities_hex": (lambda v, r: "".join(f"&#x{ord(c):05x};" for c in v), []),
    "entities_decimal_bare": (lambda v, r: "".join(f"&#{ord(c):04d}" for c in v), []),
    "percent_twice": (percent(2), []),
    "percent_thrice": (percent(3), []),
    "tool_unicode": (tool_u, []),
    "tool_parts": (tool_parts, []),
    "unicode_braces": (lambda v, r: "".join(f"\\u{{{ord(c):x}}}" for c in v), []),
    "python_names": (lambda v, r: "".join("\\x%02x" % ord(c) for c in v), []),
    "css_escapes": (lambda v, r: "".join("\\%06x" % ord(c) for c in v), []),
    "mixed_signs": (mixed_signs, []),
    "tildes": (joined("~"), []),
    "pipes": (joined("|"), []),
    "double_colons": (joined("::"), []),
    "arrows": (joined(" -> "), []),
    "plus_signs": (joined(" + "), []),
    "word_dash": (joined(" dash "), []),
    "word_dash_zh": (joined("横杠"), []),
    "word_space": (joined(" space "), []),
    "word_then": (joined(", then "), []),
    "wide_gaps": (gapped, []),
    "many_newlines": (joined("\n\n\n\n\n"), []),
    "dot_leaders": (joined("......"), []),
    "thousands": (joined(",", 3), DIGITS),
    "pairs": (joined(" ", 2), []),
    "uneven": (lambda v, r: " ".join([v[:1], v[1:6], v[6:8], v[8:13], v[13:]]), []),
    "leet": (leet, []),
    "leet_groups": (lambda v, r: "-".join(groups(leet(v, r))), []),
    "alternating": (alternating, DIGITS),
    "between_words": (between_words, DIGITS),
    "numbered_list": (numbered_list, []),
    "numbered_rows": (numbered_rows, []),
    "csv_rows": (csv_rows, []),
    "csv_line": (csv_line, []),
    "quoted_mail": (lambda v, r: "\n> " + "\n> ".join(groups(v, 6)) + "\n", []),
    "commented_lines": (lambda v, r: "\n# " + "\n# ".join(groups(v, 6)) + "\n", []),
    "json_parts": (json_parts, []),
    "json_numbers": (json_numbers, []),
    "json_positions": (positions, []),
    "variables": (variables, []),
    "template": (template, []),
    "query_string": (lambda v, r: "?" + "&".join(f"{k}={p}" for k, p in zip("abc", parts(v))), []),
    "digit_a_message": (messages("{}"), []),
    "digit_a_message_stop": (messages("{}."), []),
    "talk": (talk, []),
    "talk_zh": (talk_zh, []),
    "answered": (answered, []),
    "ordinals": (ordinals, DIGITS),
    "ordinals_zh": (ordinals_zh, DIGITS),
    "backwards": (lambda v, r: v[::-1] + " (right to left)", []),
    "backwards_zh": (lambda v, r: v[::-1] + "（从后往前读）", []),
    "groups_backwards": (lambda v, r: " ".join(reversed(groups(v))) + " (groups in reverse order)", []),
    "glued_phone": (lambda v, r: v + "13812345678", ["resident_id"]),
    "hex_colons": (lambda v, r: ":".join("%02x" % ord(c) for c in v), []),
    "hex_spaces": (lambda v, r: " ".join("%02x" % ord(c) for c in v), []),
    "hex_percent_mixed": (lambda v, r: "".join("%%%02x" % ord(c) if i % 2 else c for i, c in enumerate(v)), []),
    "octal": (lambda v, r: " ".join("%03o" % ord(c) for c in v), []),
    "decimal_codes": (decimal_codes, []),
    "bits4": (bits4, DIGITS),
    "base64_groups": (lambda v, r: " ".join(groups(base64.b64encode(v.encode()).decode())), []),
    "base64_hyphens": (lambda v, r: "-".join(groups(base64.b64encode(v.encode()).decode())), []),
    "base64_backwards": (lambda v, r: base64.b64encode(v[::-1].encode()).decode(), ["resident_id"]),
    "base64_utf16": (lambda v, r: base64.b64encode(v.encode("utf-16-le")).decode(), []),
    "mime_word": (lambda v, r: "=?utf-8?B?" + base64.b64encode(v.encode()).decode() + "?=", []),
    "utf7": (utf7, []),
    "uuencoded": (uuencoded, []),
    "base85_json": (lambda v, r: json.dumps({"b": base64.b85encode(v.encode()).decode()}), []),
    "shifted_digits": (lambda v, r: "".join(str((int(c) + 1) % 10) if c.isdigit() else c for c in v), []),
    "in_a_sum": (lambda v, r: f"{int(v[:-1]) * 10 - 5} + {int(v[-1]) + 5}" if v.isdigit() else "", DIGITS),
    "in_hex_number": (lambda v, r: hex(int(v)) if v.isdigit() else "", DIGITS),
}


def rows():
    r = random.Random(SEED)
    for name, (write, kinds) in DISGUISES.items():
        for kind in kinds or KINDS:
            make, found_as, frames = KINDS[kind]
            for lang in ("zh", "en"):
                value = make(r)
                while name in ("in_a_sum", "in_hex_number") and not value.isdigit():
                    value = make(r)
                said = write(value, r)
                before, _, after = frames[lang].partition("{}")
                if isinstance(said, str):
                    said = [{"role": "user", "content": before + said + after}]
                else:
                    said = [{"role": "user", "content": before.strip()}] + said
                yield {
                    "id": f"{name}-{kind}-{lang}",
                    "disguise": name,
                    "kind": kind,
                    "lang": lang,
                    "type": found_as,
                    "messages": said,
                }


def main():
    binary, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    table, kinds = Table("disguises"), Table("kinds")
    files = {True: [], False: []}
    for row in classify(binary, list(rows())):
        found = any(reason["type"] == row["type"] for reason in row["reasons"])
        table.add(row["disguise"], found)
        kinds.add(f"{row['kind']} {row['lang']}", found)
        table.add("all", found)
        kept = ("id", "disguise", "kind", "lang", "type", "messages")
        files[found].append(json.dumps({key: row[key] for key in kept}, ensure_ascii=False) + "\n")
    for found, name in ((True, "found"), (False, "missed")):
        with open(os.path.join(out, name + ".jsonl"), "w", encoding="utf-8") as f:
            f.writelines(files[found])
    for line in list(table.lines()) + list(kinds.lines()):
        print(line)


if __name__ == "__main__":
    main()
