// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// OutputGuard on an arbitrary text in arbitrary chunks: the same answer as in one piece. The first bytes choose the
// chunks.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "router/output_guard.h"

namespace {

using headgate::router::GuardWordList;
using headgate::router::OutputGuard;
using headgate::v1::GenerateStreamResponse;

headgate::router::OutputGuardConfig Words() {
  using Action = GuardWordList::Action;
  return {{{"redact", Action::kRedact, {"secret", "cretin", "ab", "密码"}},
           {"stop", Action::kStop, {"stop here", "机密"}},
           {"flag", Action::kFlag, {"here", "a"}}}};
}

// Word lists alone, and with rules that need a window.
const OutputGuard& TheGuard(bool window) {
  static const std::unique_ptr<OutputGuard> words = *OutputGuard::Make(Words());
  static const std::unique_ptr<OutputGuard> rules = [] {
    using Action = GuardWordList::Action;
    headgate::router::OutputGuardConfig config = Words();
    config.patterns = {{"ticket", Action::kReplace, "TICKET-[0-9]{4,8}", "[ticket]"},
                       {"project", Action::kRedact, "(?i)project +[a-z]+"},
                       {"halt", Action::kStop, "halt[0-9]+"}};
    config.personal_data = headgate::router::GuardPersonalData{};
    return *OutputGuard::Make(config, *headgate::router::MakePatternDetectors({}));
  }();
  return window ? *rules : *words;
}

struct Answer {
  std::string content, reasoning;
  bool stopped = false;
  bool operator==(const Answer&) const = default;
};

// Reasoning first, then content, as answers are written.
Answer Relay(bool window, std::string_view text, std::string_view lengths) {
  const auto stream = TheGuard(window).NewStream();
  Answer answer;
  const auto push = [&](GenerateStreamResponse event) {
    for (const GenerateStreamResponse& out : stream->Filter(std::move(event))) {
      answer.content += out.delta().content();
      answer.reasoning += out.delta().reasoning_content();
    }
  };
  const std::string_view reasoning = text.substr(0, text.size() / 3);
  for (const bool is_reasoning : {true, false}) {
    std::string_view rest = is_reasoning ? reasoning : text.substr(reasoning.size());
    for (size_t i = 0; !rest.empty(); ++i) {
      const size_t length =
          lengths.empty() ? rest.size() : size_t{1} + static_cast<uint8_t>(lengths[i % lengths.size()]) % 8;
      GenerateStreamResponse event;
      std::string piece(rest.substr(0, length));
      if (is_reasoning) {
        event.mutable_delta()->set_reasoning_content(std::move(piece));
      } else {
        event.mutable_delta()->set_content(std::move(piece));
      }
      push(std::move(event));
      rest.remove_prefix(std::min(length, rest.size()));
    }
  }
  GenerateStreamResponse finish;
  finish.mutable_finish();
  push(std::move(finish));
  answer.stopped = stream->stopped();
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view lengths = bytes.substr(0, std::min<size_t>(4, size / 2));
  const std::string_view text = bytes.substr(lengths.size());
  for (const bool window : {false, true}) {
    if (!(Relay(window, text, lengths) == Relay(window, text, ""))) std::abort();
  }
  return 0;
}
