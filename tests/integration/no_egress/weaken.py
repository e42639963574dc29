#!/usr/bin/env python3
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""weaken.py SOURCE OUT: a copy of one of the router's sources in which guards can be switched off (guard_flags.h), for
the test that must notice it. Fails when a guard no longer stands where it stood: say here where it is now."""
import os
import sys

# By file: the text of a guard, once, and the same with its flag.
GUARDS = {
    'cloud_prompt.cc': [
        # The permit is for these very bytes.
        ('if (permit.digest().empty() ||', 'if (GuardOff("digest") ? false : permit.digest().empty() ||'),
        # The first closed list; the second is the body's (cloud_wire.cc).
        ('  to->set_role(from.role());\n',
         '  to->set_role(from.role());\n  if (GuardOff("closed_fields")) to->set_name(from.name());\n'),
    ],
    'cloud_wire.cc': [
        ('  const bool plain = message.tool_call_id().empty()',
         '  if (GuardOff("closed_fields") && !message.name().empty()) {\n'
         '    Json named = MessageJson(message, about);\n'
         '    named["name"] = message.name();\n'
         '    out.append(Dump(named)).push_back(\',\');\n'
         '    return;\n'
         '  }\n'
         '  const bool plain = message.tool_call_id().empty()'),
    ],
    'cache.cc': [
        ('&& !sensitivity.sensitive() &&', '&& (GuardOff("cache") || !sensitivity.sensitive()) &&'),
    ],
    'masking.cc': [
        ('  Folded plain, decoded;\n', '  if (GuardOff("remains")) return false;\n  Folded plain, decoded;\n'),
    ],
    'router.cc': [
        # Policy would keep what is known to be sensitive: nobody reads the masked text.
        ('  const bool clean = !inspected->sensitivity.sensitive() &&',
         '  if (GuardOff("masked_scan")) {\n'
         '    inspected->sensitivity.level = v1::SENSITIVITY_LEVEL_PUBLIC;\n'
         '    inspected->sensitivity.findings.clear();\n'
         '  }\n'
         '  const bool clean = !inspected->sensitivity.sensitive() &&'),
    ],
}


def main(source, out):
    with open(source, encoding='utf-8') as f:
        text = f.read()
    for guard, flagged in GUARDS[os.path.basename(source)]:
        if text.count(guard) != 1:
            sys.exit(f'weaken.py: {source}: this guard stands there {text.count(guard)} times: {guard.strip()}')
        text = text.replace(guard, flagged)
    first = text.index('#include')
    text = text[:first] + '#include "tests/integration/no_egress/guard_flags.h"\n' + text[first:]
    with open(out, 'w', encoding='utf-8') as f:
        f.write(text)


main(*sys.argv[1:])
