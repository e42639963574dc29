// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Unmasking on an arbitrary answer in arbitrary chunks: the same as replacing in the whole text, and nothing is lost.
// The first bytes choose the chunks.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "router/masking.h"

namespace {

using headgate::router::Masked;
using headgate::router::Unmasking;
using headgate::v1::GenerateStreamResponse;

const Masked::Values kValues = {{"<PHONE_1>", "13812345678"}, {"<PHONE_11>", "139"}, {"<EMAIL_1>", "<PHONE_1>"}};

bool StartsWithCaseless(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b));
         });
}

// The obvious way, on the whole text. Placeholders share no beginning beyond their brackets, so the order is no matter.
std::string Replaced(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t taken = 0;
    for (const auto& [placeholder, value] : kValues) {
      const std::string escaped = "\\u003c" + placeholder.substr(1, placeholder.size() - 2) + "\\u003e";
      for (const std::string& written : {placeholder, escaped}) {
        if (taken > 0 || !StartsWithCaseless(text, written)) continue;
        out += value;
        taken = written.size();
      }
    }
    if (taken == 0) {
      out += text.front();
      taken = 1;
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::string Relay(std::string_view text, std::string_view lengths, bool arguments) {
  Unmasking unmasking(kValues);
  std::string answer;
  const auto push = [&](GenerateStreamResponse event) {
    for (const GenerateStreamResponse& out : unmasking.Filter({std::move(event)})) {
      answer += out.delta().content();
      for (const auto& call : out.delta().tool_calls()) answer += call.arguments();
    }
  };
  for (size_t i = 0; !text.empty(); ++i) {
    const size_t length =
        lengths.empty() ? text.size() : size_t{1} + static_cast<uint8_t>(lengths[i % lengths.size()]) % 8;
    GenerateStreamResponse event;
    std::string piece(text.substr(0, length));
    if (arguments) {
      event.mutable_delta()->add_tool_calls()->set_arguments(std::move(piece));
    } else {
      event.mutable_delta()->set_content(std::move(piece));
    }
    push(std::move(event));
    text.remove_prefix(std::min(length, text.size()));
  }
  GenerateStreamResponse finish;
  finish.mutable_finish();
  push(std::move(finish));
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view lengths = bytes.substr(0, std::min<size_t>(2, size / 2));
  const std::string_view text = bytes.substr(lengths.size());
  const std::string expected = Replaced(text);
  if (Relay(text, lengths, false) != expected || Relay(text, "", true) != expected) std::abort();
  return 0;
}
