// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Markup: what programs and formats put between the parts of a value. Each reader goes over a text once and says what
// to put in place of its parts; texts without the bytes that a reader begins with need not be given to it.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

// `=31=31`, and lines that end in `=`.
Edits ReadQuotedPrintable(std::string_view text);
// `+` for a blank in the value of `name=value`.
Edits ReadPlusBlanks(std::string_view text);
// Elements of HTML or XML between letters or digits, one side a digit: a gap.
Edits ReadTags(std::string_view text);
// `"1101" + "05198"`, `'a' || 'b'`, `"a" "b"`: one string. A list of strings when it is one number or code altogether.
Edits ReadConcatenations(std::string_view text);
// Lines of an offset and bytes in hex, as xxd, od and hexdump write them.
Edits ReadHexDumps(std::string_view text);
// Characters by their numbers (`49, 49, 48`, `0x31 0x31`, `chr(49)+chr(49)`, `00110001 00110001`), digits among them.
Edits ReadCharacterCodes(std::string_view text);

}  // namespace headgate::router
