// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How long screening and classification take: on texts of exact sizes, with a large dictionary, and on the texts of a
// file (run.py compares them with another engine's). One thread; its processor time, so that other work on the machine
// counts little; the best of several passes stands for the machine alone.
//
//   detect-bench sizes                    by text, size and stage; then 100,000 dictionary entries
//   detect-bench worst [KIND]             requests made to cost much: 128 KiB, and how the time grows from 8 KiB
//   detect-bench kinds                    the same requests as one message each: the middle of twenty, and the longest
//   detect-bench loop TEXT BYTES PASSES   one text (English, Chinese, names), for a profiler; loop-rules: no models
//   detect-bench attacks FILE...          JSON lines with `text`, `kind`, `lang`, `label`: what the input filter flags
//   detect-bench texts IN OUT [WEIGHTS]   IN: JSON lines with `text`; OUT: the same with `us`, `sensitive`, `types`.
//                                         WEIGHTS: a folder of headgate-train's, instead of the weights built in
#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "nlohmann/json.hpp"
#include "router/classification.h"
#include "router/screening.h"

namespace headgate {
namespace {

using router::Prompt;
using Json = nlohmann::json;

// Processor time of this program, which has one thread: microseconds, in whole ones.
double CpuMicros() { return static_cast<double>(std::clock()) * (1e6 / CLOCKS_PER_SEC); }

std::string Bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class Engine {
 public:
  // `models`: with them, as a router does; without, rules alone.
  explicit Engine(bool models = true, router::RouterConfig config = {})
      : config_(std::move(config)), screening_(config_.limits) {
    if (models) {
      auto made = router::Classification::Make(config_.sensitivity);
      if (made.ok()) classification_ = *std::move(made);
      return;
    }
    auto detectors = router::MakePatternDetectors(config_.sensitivity);
    if (detectors.ok()) {
      classification_ = std::make_unique<router::Classification>(config_.sensitivity, *std::move(detectors));
    }
  }
  // With the weights of a folder, as headgate-train writes it.
  explicit Engine(const std::string& weights) : screening_(config_.limits) {
    const std::string topic = Bytes(weights + "/topic_model.bin"), names = Bytes(weights + "/name_tagger.bin");
    auto models = router::TextModels::Load(topic, Hex(Sha256(topic)), names, Hex(Sha256(names)));
    if (!models.ok()) return;
    auto detectors = router::MakePatternDetectors(config_.sensitivity, *std::move(models));
    if (detectors.ok()) {
      classification_ = std::make_unique<router::Classification>(config_.sensitivity, *std::move(detectors));
    }
  }
  bool ok() const { return classification_ != nullptr; }

  struct Judged {
    double us;
    bool sensitive;
    std::vector<std::string> types;  // of the findings
  };
  // The mean of `times`: short texts are judged several times for one reading of the clock.
  Judged Judge(const Prompt& prompt, int times = 1) const {
    Judged judged{};
    router::Sensitivity found;
    const double start = CpuMicros();
    for (int i = 0; i < times; ++i) {
      const router::Screened screened = screening_.Screen(prompt);
      found = classification_->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, router::TenantConfig(), screened);
    }
    judged.us = (CpuMicros() - start) / times;
    judged.sensitive = found.sensitive();
    for (const v1::Finding& finding : found.findings) judged.types.push_back(finding.type());
    return judged;
  }
  double ScreeningMicros(const Prompt& prompt, int times) const {
    const double start = CpuMicros();
    for (int i = 0; i < times; ++i) screening_.Screen(prompt);
    return (CpuMicros() - start) / times;
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
    "周二我们和供应商开了会，讨论了春季的计划。大部分零件在第12周到货，其余的两周以后。请给团队写一份简短的总结，先列出"
    "还没有答案的问题。";
constexpr const char* kName =
    "Patient Margaret Wilson, 54, has been seen by Dr. Chen; 患者周建国，男，45岁，因胸闷3天入院。";

std::string Filled(const std::string& text, size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  out.resize(bytes);
  while (!out.empty() && (static_cast<uint8_t>(out.back()) & 0xC0) == 0x80) out.pop_back();
  if (!out.empty() && static_cast<uint8_t>(out.back()) >= 0xC0) out.pop_back();
  out.resize(bytes, ' ');
  return out;
}

struct NamedText {
  const char* name;
  const char* text;
};
constexpr NamedText kTexts[] = {{"English", kEnglish}, {"Chinese", kChinese}, {"names", kName}};

// Of many passes: the least of the first stage, then the least, the middle and the 99th of a hundred of both.
struct Times {
  double screening, best, p50, p99;
};
Times Measure(const Engine& engine, const Prompt& prompt, size_t passes) {
  const int times = prompt.text_bytes() < 1024 ? 16 : 1;
  std::vector<double> us;
  double screening = 1e12;
  for (size_t i = 0; i < passes / static_cast<size_t>(times); ++i) {
    us.push_back(engine.Judge(prompt, times).us);
    if (i % 4 == 0) screening = std::min(screening, engine.ScreeningMicros(prompt, times));
  }
  std::sort(us.begin(), us.end());
  return {screening, us.front(), us[us.size() / 2], us[us.size() * 99 / 100]};
}

// What 100,000 entries of six to twenty characters cost.
int Dictionary(const Engine& plain) {
  constexpr size_t kEntries = 100000, kBytes = 8192;
  uint32_t state = 20261122;
  const auto below = [&state](uint32_t n) { return (state = state * 1664525u + 1013904223u) / 65536 % n; };
  router::RouterConfig config;
  router::KeywordListConfig& list = config.sensitivity.keyword_lists.emplace_back();
  list.name = "projects";
  list.level = v1::SENSITIVITY_LEVEL_RESTRICTED;
  const std::string letters = "etaoinshrdlucmfwypvbgkjqxz";
  for (size_t i = 0; i < kEntries; ++i) {
    std::string& word = list.words.emplace_back();
    if (i % 2 == 0) {
      for (uint32_t n = 6 + below(15); n > 0; --n) word += letters[below(below(26) + 1)];
    } else {
      // Characters of the text itself, in another order: as close to matches as a dictionary can be.
      const std::string_view source = kChinese;
      for (uint32_t n = 2 + below(6); n > 0; --n) {
        size_t at = below(static_cast<uint32_t>(source.size() - 6));
        while ((static_cast<uint8_t>(source[at]) & 0xC0) == 0x80) ++at;
        word += source.substr(at, static_cast<uint8_t>(source[at]) < 0x80 ? 1 : 3);
      }
      word += std::to_string(i);
    }
  }
  const double start = CpuMicros();
  const Engine with(true, std::move(config));
  const double compiled = (CpuMicros() - start) * 1e-6;
  if (!with.ok()) return 1;
  std::cout << absl::StreamFormat("\n%d dictionary entries: compiled in %.2f s\n", kEntries, compiled);
  for (const NamedText& row : kTexts) {
    const Prompt prompt = PromptOf(Filled(row.text, kBytes));
    const double without = Measure(plain, prompt, 300).best, more = Measure(with, prompt, 300).best - without;
    std::cout << absl::StreamFormat("%-10s %.1f microseconds a KB more\n", row.name, more / (kBytes / 1024.0));
  }
  return 0;
}

int Sizes(const Engine& engine) {
  const Engine rules(false);
  if (!rules.ok()) return 1;
  std::cout << "microseconds of one processor; `rules`: with screening; `all`: models too\n"
            << absl::StreamFormat("%-10s %8s %10s %10s %10s %10s %10s %10s %10s\n", "text", "bytes", "screening",
                                  "rules", "rules p50", "rules p99", "all", "all p50", "all p99");
  for (const size_t bytes : {size_t{512}, size_t{2048}, size_t{131072}}) {
    for (const NamedText& row : kTexts) {
      const Prompt prompt = PromptOf(Filled(row.text, bytes));
      const size_t passes = std::max<size_t>(50, 4000000 / bytes);
      const Times by_rules = Measure(rules, prompt, passes), all = Measure(engine, prompt, passes);
      std::cout << absl::StreamFormat("%-10s %8d %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f\n", row.name, bytes,
                                      all.screening, by_rules.best, by_rules.p50, by_rules.p99, all.best, all.p50,
                                      all.p99);
    }
  }
  return Dictionary(engine);
}

struct Hostile {
  const char* name;
  std::string piece;
};
std::vector<Hostile> Hostiles() {
  const auto base64 = [](std::string text, int times) {
    for (int i = 0; i < times; ++i) text = std::string(absl::Base64Escape(text));
    return text;
  };
  const std::string value = "ID 110105198706121007, ";
  return {
      {"ordinary", kEnglish},
      {"ordinary_zh", kChinese},
      {"names", kName},
      {"values", value},
      {"phones", "tel 13912345678 card 4111111111111111 a@b.cn "},
      {"cue words", "password: token secret patient salary account 密码 身份证 病历 "},
      {"base64 twice", base64(value, 2) + " "},
      {"base64 five times", base64(value, 5) + " "},
      {"unreadable base64", "k9Xw-Qm2_Zt8/Lp4+Rv6 "},
      {"hex of words", "616263646566676869006a6b6c6d6e6f01 "},
      {"escapes", "\\u0031\\n%31&#49;"},
      {"escaped escapes", "%25255c%2575003%31 "},
      {"set apart", "s k 1 2 a b "},
      {"spelled", "one three eight zero "},
      {"cells", "<td>1</td>"},
      {"strings", "'1' + '2' + "},
      {"list of strings", "['1','2','3'],"},
      {"odd signs", "1101#0519#8706#1210 "},
      {"halves", "first 110105198 then 706121008 "},
      {"codes", "49, 50, 51, 52, 53, 54, 55, 56; "},
      {"hex dump", "00000000: 3131 3031 3035 3139  11010519\n"},
      {"short lines", "a1b2c3d4\n"},
      {"digits", "138 1234-5678,"},
      {"json", R"({"a":"1101","b":"a1b2"})"},
      {"folded", "１３８ⓐ"},
  };
}

// `piece` again and again, in messages of at least `message_bytes`.
Prompt HostilePrompt(const std::string& piece, size_t bytes, size_t message_bytes) {
  v1::GenerateRequest request;
  std::string text;
  for (size_t made = 0; made < bytes; made += piece.size()) {
    text += piece;
    if (text.size() < message_bytes && made + piece.size() < bytes) continue;
    v1::Message& message = *request.add_messages();
    message.set_role(request.messages_size() % 2 == 0 ? v1::ROLE_ASSISTANT : v1::ROLE_USER);
    message.set_content(std::exchange(text, ""));
  }
  return Prompt(std::move(request));
}

// One message, and many: 128 KiB each, and how much more a byte costs there than in 8 KiB. `kind`: of this alone.
int Worst(const Engine& engine, std::string_view kind) {
  constexpr size_t kBytes = 131072, kShort = 8192;
  constexpr int kPasses = 5;
  const auto best_of = [&](const Prompt& prompt, size_t passes) {
    double best = engine.Judge(prompt).us;
    for (size_t i = 1; i < passes; ++i) best = std::min(best, engine.Judge(prompt).us);
    return best;
  };
  std::cout << absl::StreamFormat("%-20s %12s %6s %12s %6s %12s %6s\n", "milliseconds of", "one message", "growth",
                                  "of 64 bytes", "growth", "of 300", "growth");
  double worst = 0, most = 0;
  for (const Hostile& row : Hostiles()) {
    if (!kind.empty() && kind != row.name) continue;
    std::cout << absl::StreamFormat("%-20s", row.name);
    for (const size_t bytes : {kBytes, size_t{64}, size_t{300}}) {
      const double us = best_of(HostilePrompt(row.piece, kBytes, bytes), kPasses);
      const double few = best_of(HostilePrompt(row.piece, kShort, bytes), 4 * kPasses);
      const double growth = us / (few * (kBytes / kShort));
      std::cout << absl::StreamFormat(" %12.1f %6.2f", us * 1e-3, growth);
      worst = std::max(worst, us);
      most = std::max(most, growth);
    }
    std::cout << std::endl;
  }
  std::cout << absl::StreamFormat("the slowest %.1f ms; at most %.2f times linear\n", worst * 1e-3, most);
  return 0;
}

// One message of 128 KiB of each kind, as a client sends it: the middle of twenty, and the longest.
int Kinds(const Engine& engine) {
  constexpr size_t kBytes = 131072;
  constexpr int kPasses = 20;
  std::cout << absl::StreamFormat("%-20s %10s %10s\n", "milliseconds of", "median", "longest");
  for (const Hostile& row : Hostiles()) {
    const Prompt prompt = HostilePrompt(row.piece, kBytes, kBytes);
    std::vector<double> us;
    for (int i = 0; i < kPasses; ++i) us.push_back(engine.Judge(prompt).us);
    std::sort(us.begin(), us.end());
    std::cout << absl::StreamFormat("%-20s %10.1f %10.1f\n", row.name, us[us.size() / 2] * 1e-3, us.back() * 1e-3);
  }
  return 0;
}

int Loop(const Engine& engine, std::string_view name, size_t bytes, size_t passes) {
  for (const NamedText& row : kTexts) {
    if (name != row.name) continue;
    std::cout << absl::StreamFormat("%.1f\n", Measure(engine, PromptOf(Filled(row.text, bytes)), passes).best);
    return 0;
  }
  return 2;
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
    Engine::Judged best = engine.Judge(prompt, 4);
    for (int pass = 0; pass < 4; ++pass) best.us = std::min(best.us, engine.Judge(prompt, 4).us);
    row["us"] = best.us;
    row["sensitive"] = best.sensitive;
    row["types"] = best.types;
    out << row.dump() << "\n";
  }
  return out.flush() ? 0 : 1;
}

// Shares of the rows that the input filter flags, as screening does it: by file, kind, language and label.
int Attacks(const std::vector<std::string>& paths) {
  const router::Screening screening(router::LimitsConfig{});
  std::cout << absl::StreamFormat("%-32s %-18s %-5s %5s %7s %7s %7s\n", "file", "kind", "lang", "label", "rows",
                                  "flagged", "share");
  for (const std::string& path : paths) {
    struct Counts {
      int rows = 0, flagged = 0;
    };
    std::map<std::array<std::string, 3>, Counts> counts;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      const Json row = Json::parse(line, nullptr, false);
      if (!row.is_object() || !row.contains("text")) return 1;
      Counts& of = counts[{row.value("kind", "-"), row.value("lang", "-"), std::to_string(row.value("label", 0))}];
      ++of.rows;
      of.flagged += !screening.Screen(PromptOf(row["text"].get<std::string>())).attacks.empty();
    }
    for (const auto& [group, of] : counts) {
      const std::string name = path.substr(path.rfind('/') + 1);
      std::cout << absl::StreamFormat("%-32s %-18s %-5s %5s %7d %7d %7.3f\n", name, group[0], group[1], group[2],
                                      of.rows, of.flagged, 1.0 * of.flagged / of.rows);
    }
  }
  return 0;
}

}  // namespace
}  // namespace headgate

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "attacks" && argc > 2) return headgate::Attacks({argv + 2, argv + argc});
  const headgate::Engine engine =
      argc == 5 && mode == "texts" ? headgate::Engine(std::string(argv[4])) : headgate::Engine(mode != "loop-rules");
  if (!engine.ok()) {
    std::cerr << "detect-bench: the detectors cannot be made\n";
    return 1;
  }
  if (mode == "sizes") return headgate::Sizes(engine);
  if (mode == "worst") return headgate::Worst(engine, argc == 3 ? argv[2] : "");
  if (mode == "kinds") return headgate::Kinds(engine);
  if ((mode == "loop" || mode == "loop-rules") && argc == 5) {
    return headgate::Loop(engine, argv[2], std::stoul(argv[3]), std::stoul(argv[4]));
  }
  if (mode == "texts" && (argc == 4 || argc == 5)) return headgate::Texts(engine, argv[2], argv[3]);
  std::cerr << "usage: detect-bench sizes | worst [KIND] | kinds | loop|loop-rules TEXT BYTES PASSES | "
               "attacks FILE... | texts IN OUT [WEIGHTS]\n";
  return 2;
}
