// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Seams: a value split over messages, over the name and the content of one, or over tool calls. The ends of texts that
// follow each other are put together as one text, over all roles and per role: of a long text its end and the next
// one's beginning, where either may hold a part of a value. Where what touches a seam may be two parts of a value, it
// is put together as lines without quotes and stops as well. Strings under one key of JSON documents, or of one list,
// follow each other too. What was put together counts against the request's budget (decoded_views.h).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "headgate/v1/inference.pb.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/decoded_views.h"

namespace headgate::router {

// Where one text ends and the next begins; both are messages of the request.
struct Seam {
  int32_t begin = 0;  // of what was taken of the first
  int32_t at = 0;     // in the text that was put together
  int before = 0, after = 0;
};

struct SeamText {
  std::string text;  // canonical
  std::vector<Seam> seams;
};

// `canonical_of(field)`: the canonical text of that field, null when it was not read.
std::vector<SeamText> MakeSeams(const v1::GenerateRequest& content,
                                const std::function<const CanonicalText*(const std::string& field)>& canonical_of,
                                DecodeBudget& budget);

// The part at the end / the beginning of `text` that a value may go on from: 64 bytes, and more where they are no
// words. Whole characters.
std::string_view ValueTail(std::string_view text);
std::string_view ValueHead(std::string_view text);

}  // namespace headgate::router
