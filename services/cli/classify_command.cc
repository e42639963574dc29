// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// classify: the router's own screening and classification in this process, without a router. For people (coloured
// spans) and for whole files of requests (--jsonl), which is how detection is evaluated.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <tuple>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "router/router.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"
#include "services/router/openai_json.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

using router::Sensitivity;

constexpr size_t kLineBytesMax = 8 << 20;

struct ClassifyOptions {
  std::string config;
  std::string tenant;
  std::vector<std::string> files;  // --jsonl IN OUT
  std::vector<std::string> words;
  bool color = false;
};

// Reasons are told in this order: what weighs most first.
bool Weightier(const v1::Finding& a, const v1::Finding& b) {
  return std::make_tuple(a.level(), a.score()) > std::make_tuple(b.level(), b.score());
}

// The rules of a configuration file, or of none, and one tenant's settings.
class Classifier {
 public:
  static absl::StatusOr<Classifier> Make(const ClassifyOptions& options) {
    router::RouterConfig config;
    if (!options.config.empty()) {
      ASSIGN_OR_RETURN(config, router::LoadRouterConfig(options.config));
    }
    Classifier made;
    const auto named = [&](const router::TenantConfig& tenant) { return tenant.name == options.tenant; };
    const auto tenant = std::find_if(config.tenants.begin(), config.tenants.end(), named);
    if (tenant != config.tenants.end()) {
      made.tenant_ = *tenant;
    } else if (!options.tenant.empty()) {
      return absl::NotFoundError(absl::StrCat("--tenant: there is no tenant `", options.tenant, "`"));
    }
    ASSIGN_OR_RETURN(made.rules_, router::Rules::Make(std::move(config)));
    return made;
  }

  Sensitivity Classify(v1::GenerateRequest request) const {
    const router::Prompt prompt(std::move(request));
    Sensitivity sensitivity = rules_->classification->Classify(prompt.content().declared_sensitivity(), tenant_,
                                                               rules_->screening.Screen(prompt));
    absl::c_stable_sort(sensitivity.findings, Weightier);
    return sensitivity;
  }

 private:
  std::shared_ptr<const router::Rules> rules_;
  router::TenantConfig tenant_;
};

// What is sensitive scores at least a half, anything else less: the decision lies in the middle of a sweep.
double Score(const Sensitivity& sensitivity) {
  double score = 0;
  for (const v1::Finding& finding : sensitivity.findings) score = std::max(score, finding.score());
  score = std::clamp(score, 0.0, 1.0);
  return sensitivity.sensitive() ? 0.5 + score / 2 : score / 2;
}

Json ReasonJson(const v1::Finding& finding) {
  return {{"type", finding.type()},   {"level", SensitivityName(finding.level())},
          {"field", finding.field()}, {"begin", finding.begin()},
          {"end", finding.end()},     {"score", finding.score()}};
}

// SDKs write the arguments of a call as a string that holds JSON; data sets often as the object itself.
void ArgumentsToText(Json& messages) {
  if (!messages.is_array()) return;
  for (Json& message : messages) {
    if (!message.is_object() || !message.contains("tool_calls") || !message["tool_calls"].is_array()) continue;
    for (Json& call : message["tool_calls"]) {
      if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
      Json& function = call["function"];
      if (function.contains("arguments") && function["arguments"].is_structured()) {
        function["arguments"] = function["arguments"].dump();
      }
    }
  }
}

// `messages` (and `tools`) as in an OpenAI body, or `text`, one user message.
absl::StatusOr<v1::GenerateRequest> ReadRequest(const Json& line) {
  if (!line.is_object()) return absl::InvalidArgumentError("must be a JSON object");
  if (line.contains("messages")) {
    Json body = {{"messages", line["messages"]}};
    ArgumentsToText(body["messages"]);
    if (line.contains("tools")) body["tools"] = line["tools"];
    ASSIGN_OR_RETURN(OpenAiRequest request, ParseChatRequest(body.dump()));
    return std::move(request.content);
  }
  if (!line.contains("text") || !line["text"].is_string()) {
    return absl::InvalidArgumentError("has neither `messages` nor a string `text`");
  }
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(line["text"].get<std::string>());
  return request;
}

// The line with its verdict. One that cannot be read is sensitive, like a request that cannot be inspected.
Json Judge(const Classifier& classifier, const std::string& text, absl::Status& status) {
  absl::StatusOr<Json> line = text.size() <= kLineBytesMax
                                  ? ParseJson(text)
                                  : absl::InvalidArgumentError(absl::StrCat("longer than ", kLineBytesMax, " bytes"));
  absl::StatusOr<v1::GenerateRequest> request = line.ok() ? ReadRequest(*line) : line.status();
  status = request.status();
  Json out = line.ok() && line->is_object() ? *std::move(line) : Json::object();
  if (!status.ok()) {
    out["level"] = SensitivityName(v1::SENSITIVITY_LEVEL_RESTRICTED);
    out["sensitive"] = true;
    out["score"] = 1.0;
    out["reasons"] = Json::array({{{"type", "NOT_INSPECTABLE:bad_line"}}});
    out["error"] = std::string(status.message());
    return out;
  }
  const Sensitivity sensitivity = classifier.Classify(*std::move(request));
  out["level"] = SensitivityName(sensitivity.level);
  out["sensitive"] = sensitivity.sensitive();
  out["score"] = Score(sensitivity);
  out["reasons"] = Json::array();
  for (const v1::Finding& finding : sensitivity.findings) out["reasons"].push_back(ReasonJson(finding));
  return out;
}

int ClassifyLines(const Classifier& classifier, const std::string& in_path, const std::string& out_path) {
  // Not /dev/stdout: opening it would cut off the file that it may be.
  std::ifstream in_opened;
  std::ofstream out_opened;
  if (in_path != "-") in_opened.open(in_path);
  if (out_path != "-") out_opened.open(out_path);
  std::istream& in_file = in_path == "-" ? std::cin : in_opened;
  std::ostream& out_file = out_path == "-" ? std::cout : out_opened;
  if (!in_file) return Fail(absl::NotFoundError(absl::StrCat(in_path, ": cannot be read")));
  if (!out_file) return Fail(absl::PermissionDeniedError(absl::StrCat(out_path, ": cannot be written")));
  size_t number = 0, bad = 0;
  for (std::string text; std::getline(in_file, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::Status status;
    out_file << Judge(classifier, text, status).dump() << "\n";
    if (status.ok()) continue;
    ++bad;
    std::cerr << "headgate: " << in_path << ":" << number << ": " << status.message() << "\n";
  }
  out_file.flush();
  if (in_file.bad()) return Fail(absl::DataLossError(absl::StrCat(in_path, ": reading failed after line ", number)));
  if (!out_file) return Fail(absl::DataLossError(absl::StrCat(out_path, ": writing failed")));
  if (bad == 0) return 0;
  return Fail(absl::InvalidArgumentError(absl::StrCat(bad, " lines could not be read; they count as sensitive")));
}

// Whether `value` lies inside `window` and weighs as much: then it alone is worth marking.
bool Explains(const v1::Finding& value, const v1::Finding& window) {
  return value.field() == window.field() && value.begin() >= window.begin() && value.end() <= window.end() &&
         value.end() - value.begin() < window.end() - window.begin() && !Weightier(window, value);
}

// `text` with the findings' ranges marked: red at `restricted`, yellow below.
std::string Marked(const std::string& text, const Sensitivity& sensitivity, bool color) {
  std::vector<v1::SensitivityLevel> level(text.size() + 1, v1::SENSITIVITY_LEVEL_UNSPECIFIED);
  for (const v1::Finding& finding : sensitivity.findings) {
    const auto explains = [&finding](const v1::Finding& other) { return Explains(other, finding); };
    if (finding.field() != "messages[0].content" || absl::c_any_of(sensitivity.findings, explains)) continue;
    const auto end = std::min(static_cast<size_t>(std::max(finding.end(), 0)), text.size());
    for (auto at = static_cast<size_t>(std::max(finding.begin(), 0)); at < end; ++at) {
      level[at] = std::max(level[at], finding.level());
    }
  }
  const auto mark = [color](v1::SensitivityLevel to) {
    if (to == v1::SENSITIVITY_LEVEL_UNSPECIFIED) return color ? "\x1b[0m" : "]";
    if (!color) return "[";
    return to == v1::SENSITIVITY_LEVEL_RESTRICTED ? "\x1b[1;31m" : "\x1b[1;33m";
  };
  std::string out;
  v1::SensitivityLevel now = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  for (size_t at = 0; at <= text.size(); ++at) {
    if (level[at] != now) {
      if (now != v1::SENSITIVITY_LEVEL_UNSPECIFIED) out += mark(v1::SENSITIVITY_LEVEL_UNSPECIFIED);
      if (level[at] != v1::SENSITIVITY_LEVEL_UNSPECIFIED) out += mark(level[at]);
      now = level[at];
    }
    if (at < text.size()) out += text[at];
  }
  return out;
}

int ClassifyText(const Classifier& classifier, const ClassifyOptions& options) {
  const std::string text = options.words.empty() ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                 : absl::StrJoin(options.words, " ");
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  const Sensitivity sensitivity = classifier.Classify(std::move(request));
  std::cout << Marked(text, sensitivity, options.color || isatty(STDOUT_FILENO) == 1) << "\n\n"
            << (sensitivity.sensitive() ? "sensitive" : "not sensitive") << ", level "
            << SensitivityName(sensitivity.level) << absl::StreamFormat(", score %.2f\n", Score(sensitivity));
  for (const v1::Finding& finding : sensitivity.findings) {
    std::cout << absl::StreamFormat("  %-24s %-13s score %.2f  %s [%d, %d)\n", finding.type(),
                                    std::string(SensitivityName(finding.level())), finding.score(), finding.field(),
                                    finding.begin(), finding.end());
  }
  return 0;
}

int Classify(const ClassifyOptions& options) {
  const absl::StatusOr<Classifier> classifier = Classifier::Make(options);
  if (!classifier.ok()) return Fail(classifier.status());
  if (options.files.empty()) return ClassifyText(*classifier, options);
  return ClassifyLines(*classifier, options.files[0], options.files[1]);
}

}  // namespace

void AddClassifyCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("classify", "Say whether a text is sensitive and why; needs no router");
  const auto options = std::make_shared<ClassifyOptions>();
  CLI::Option* words = command->add_option("text", options->words, "The text; without it, standard input");
  command
      ->add_option("--jsonl", options->files,
                   "IN OUT: one request a line (`messages` as in an OpenAI body, or `text`); each line comes back with "
                   "level, sensitive, score and reasons; `-` is standard input or output")
      ->expected(2)
      ->type_name("IN OUT")
      ->excludes(words);
  command->add_option("--config", options->config, "A router's configuration; without it, the defaults")
      ->check(CLI::ExistingFile);
  command->add_option("--tenant", options->tenant, "Judge as for this tenant of the configuration");
  command->add_flag("--color", options->color, "Colour the spans even when the output is no terminal");
  command->callback([options, &exit_code] { exit_code = Classify(*options); });
}

}  // namespace headgate::services
