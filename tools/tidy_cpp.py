# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Just enough C++ for tools/tidy: code without comments and literals, and where functions begin and end."""

import re

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z])'(?:\\.|[^'\\\n])+'",
    re.S,
)


def code_only(text, keep_strings=False):
    """Comments (and string and character literals) replaced by blanks; the lines stay where they are."""

    def blank(match):
        token = match.group()
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        if keep_strings:
            return token
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    return _TOKEN.sub(blank, text)


_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum)\b[^()]*$|\bextern\s*\"\s*\"\s*$")
_NAME = re.compile(r"([~\w:]+|operator\s*\S+?)\s*\(")


def functions(code):
    """(name, first line, lines) of each outermost function body in `code`, which comes from code_only."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), code, flags=re.M)
    found, stack, start = [], [], 0
    parens = 0
    for index, char in enumerate(code):
        if char in "([":
            parens += 1
        elif char in ")]":
            parens -= 1
        elif char == "{":
            head = code[start:index].strip()
            if any(kind != "scope" for kind, _, _, _ in stack):
                kind = "inner"
            elif parens > 0:
                kind = "inner"  # a braced argument
            elif code[index - 1].isalnum() or code[index - 1] in "_>":
                kind = "inner"  # a braced initialiser: a body has a space before it
            elif _SCOPE.search(head) or not head:
                kind = "scope"
            elif ")" in head and not re.search(r"[=,]\s*$", head):
                kind = "function"
            else:
                kind = "inner"
            stack.append((kind, start, head, parens))
            if kind == "scope":
                parens = 0
            start = index + 1
        elif char == "}" and stack:
            kind, began, head, parens = stack.pop()
            if kind == "function":
                name = re.match(r"(?:TYPED_)?TEST(?:_[FP])?\s*\(([^)]*)\)", head) or _NAME.search(head)
                first = code.count("\n", 0, began + len(code[began:]) - len(code[began:].lstrip())) + 1
                found.append((name.group(1) if name else head[:40], first, code.count("\n", 0, index) + 2 - first))
            start = began if kind == "inner" else index + 1
        elif char == ";" and parens == 0:
            start = index + 1
    return found
