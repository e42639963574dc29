// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How long screening and classification take: on texts of exact sizes, and on the texts of a file (run.py compares them
// with another engine's). One thread; the best of several passes stands for the machine without its other work.
//
//   detect-bench sizes
//   detect-bench texts IN OUT      IN: JSON lines with `text`; OUT: the same with `us` and `sensitive`
#include <algorithm>
#include <fstream>
#include <iostream>

#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "nlohmann/json.hpp"
#include "router/classification.h"
#include "router/screening.h"

namespace headgate {
namespace {

using router::Prompt;
using Json = nlohmann::json;

class Engine {
 public:
  Engine() : screening_(config_.limits) {
    auto made = router::Classification::Make(config_.sensitivity);
    if (made.ok()) classification_ = *std::move(made);
  }
  bool ok() const { return classification_ != nullptr; }

  struct Judged {
    double us;
    bool sensitive;
  };
  Judged Judge(const Prompt& prompt) const {
    const MonotonicTime start = RealTime().Monotonic();
    const router::Screened screened = screening_.Screen(prompt);
    const bool sensitive =
        classification_->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, router::TenantConfig(), screened).sensitive();
    return {absl::ToDoubleMicroseconds(RealTime().Monotonic() - start), sensitive};
  }

 private:
  const router::RouterConfig config_;
  const router::Screening screening_;
  std::unique_ptr<router::Classification> classification_;
};

Prompt PromptOf(const std::string& text) {
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  return Prompt(std::move(request));
}

constexpr const char* kEnglish =
    "We met the supplier on Tuesday and went through the plan for the spring. Most of the parts arrive in week 12, the "
    "rest two weeks later. Please write a short summary for the team, with the open questions first. ";
constexpr const char* kChinese =
    "周二我们和供应商开了会，讨论了春季的计划。大部分零件在第12周到货，其余的两周以后。请给团队写一份简短的总结，先列出还没有答案的问题。";
constexpr const char* kName = "Patient Margaret Wilson, 54, has been seen by Dr. Chen; 患者周建国，男，45岁，因胸闷3天入院。";

std::string Filled(const std::string& text, size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  out.resize(bytes);
  while (!out.empty() && (static_cast<uint8_t>(out.back()) & 0xC0) == 0x80) out.pop_back();
  if (!out.empty() && static_cast<uint8_t>(out.back()) >= 0xC0) out.pop_back();
  out.resize(bytes, ' ');
  return out;
}

int Sizes(const Engine& engine) {
  const struct {
    const char* name;
    const char* text;
  } texts[] = {{"English", kEnglish}, {"Chinese", kChinese}, {"names", kName}};
  std::cout << "screening + classification, one thread, microseconds\n"
            << absl::StreamFormat("%-10s %8s %10s %10s %10s\n", "text", "bytes", "best", "p50", "p99");
  for (const size_t bytes : {size_t{512}, size_t{2048}, size_t{131072}}) {
    for (const auto& row : texts) {
      const Prompt prompt = PromptOf(Filled(row.text, bytes));
      const size_t passes = std::max<size_t>(50, 4000000 / bytes);
      std::vector<double> us;
      for (size_t i = 0; i < passes; ++i) us.push_back(engine.Judge(prompt).us);
      std::sort(us.begin(), us.end());
      std::cout << absl::StreamFormat("%-10s %8d %10.1f %10.1f %10.1f\n", row.name, bytes, us.front(),
                                      us[us.size() / 2], us[us.size() * 99 / 100]);
    }
  }
  return 0;
}

int Texts(const Engine& engine, const char* in_path, const char* out_path) {
  std::ifstream in(in_path);
  std::ofstream out(out_path);
  for (std::string line; std::getline(in, line);) {
    Json row = Json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("text")) {
      std::cerr << "detect-bench: " << in_path << ": a line without `text`\n";
      return 1;
    }
    const Prompt prompt = PromptOf(row["text"].get<std::string>());
    Engine::Judged best = engine.Judge(prompt);
    for (int pass = 0; pass < 4; ++pass) best.us = std::min(best.us, engine.Judge(prompt).us);
    row["us"] = best.us;
    row["sensitive"] = best.sensitive;
    out << row.dump() << "\n";
  }
  return out.flush() ? 0 : 1;
}

}  // namespace
}  // namespace headgate

int main(int argc, char** argv) {
  const headgate::Engine engine;
  if (!engine.ok()) {
    std::cerr << "detect-bench: the detectors cannot be made\n";
    return 1;
  }
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "sizes") return headgate::Sizes(engine);
  if (mode == "texts" && argc == 4) return headgate::Texts(engine, argv[2], argv[3]);
  std::cerr << "usage: detect-bench sizes | texts IN OUT\n";
  return 2;
}
