// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/audit_log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace headgate::planner {
namespace {

constexpr int64_t kCountMax = int64_t{1} << 40;
constexpr size_t kLineBytesMax = 1 << 20;

using nlohmann::json;

// One line's values, with the first complaint kept.
class Line {
 public:
  explicit Line(const json& record) : record_(record) {}

  std::string Text(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return "";
    if (!found->is_string()) return Complain(key, "must be a text"), "";
    return found->get<std::string>();
  }
  int64_t Count(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return 0;
    // 64-bit numbers are written as texts by protobuf's JSON.
    int64_t value = -1;
    if (found->is_number_integer()) value = found->get<int64_t>();
    if (found->is_string() && !absl::SimpleAtoi(found->get_ref<const std::string&>(), &value)) value = -1;
    if (value < 0 || value > kCountMax) return Complain(key, "must be a whole number from 0 to 2^40"), 0;
    return value;
  }
  const json& Object(const char* key) {
    static const json kNone = json::object();
    const auto found = record_.find(key);
    if (found == record_.end()) return kNone;
    if (!found->is_object()) return Complain(key, "must be an object"), kNone;
    return *found;
  }
  void Complain(const std::string& key, const std::string& message) {
    if (wrong_.empty()) wrong_ = absl::StrCat(key, ": ", message);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  const json& record_;
  std::string wrong_;
};

std::string Parse(const std::string& text, AuditLog* log) {
  const json record = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return "line: is no JSON object";
  Line line(record);
  ++log->records;
  if (line.Text(record, "kind") != "outcome") return line.wrong();
  AuditOutcome outcome;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, line.Text(record, "time"), &outcome.time, &error)) {
    line.Complain("time", "must be a time such as 2026-11-20T09:00:00.000000Z");
  }
  outcome.duration = absl::Microseconds(line.Count(record, "duration_us"));
  outcome.first_token = absl::Microseconds(line.Count(record, "first_token_us"));
  if (outcome.first_token > outcome.duration) line.Complain("first_token_us", "is later than the end");
  outcome.tenant = line.Text(record, "tenant");
  if (outcome.tenant.empty()) outcome.tenant = "-";
  outcome.status = line.Text(record, "status");
  const std::string level = line.Text(record, "sensitivity");
  outcome.sensitive = level == "confidential" || level == "restricted" ||
                      line.Text(record, "classification_state") != "classified";
  const json& route = line.Object("route");
  outcome.target = line.Text(route, "target");
  outcome.model = line.Text(route, "model");
  const json& usage = line.Object("usage");
  outcome.prompt_tokens = line.Count(usage, "prompt_tokens");
  outcome.completion_tokens = line.Count(usage, "completion_tokens");
  outcome.cached_tokens = line.Count(usage, "cached_tokens");
  outcome.reasoning_tokens = line.Count(usage, "reasoning_tokens");
  const json& cost = line.Object("cost");
  outcome.price_version = line.Text(cost, "price_version");
  outcome.priced = !outcome.price_version.empty();
  outcome.cost_micro_units = line.Count(cost, "micro_units");
  outcome.currency = line.Text(cost, "currency");
  outcome.estimated = absl::StrContains(line.Text(record, "detail"), "usage estimated");
  if (line.wrong().empty()) log->outcomes.push_back(std::move(outcome));
  return line.wrong();
}

absl::Status ReadLines(const std::string& file, std::istream& stream, AuditLog* log) {
  std::string text;
  for (int64_t number = 1; std::getline(stream, text); ++number) {
    const std::string wrong =
        text.size() > kLineBytesMax ? std::string("line: is longer than 1 MiB") : Parse(text, log);
    if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrCat(file, ":", number, ": ", wrong));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AuditLog> ReadAuditLog(const std::string& path) {
  std::vector<std::string> files;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (absl::StartsWith(name, "audit-") && absl::EndsWith(name, ".jsonl")) files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) return absl::NotFoundError(absl::StrCat(path, ": holds no audit segments"));
  } else {
    files.push_back(path);
  }
  AuditLog log;
  for (const std::string& file : files) {
    std::ifstream stream(file);
    if (!stream) return absl::NotFoundError(absl::StrCat(file, ": cannot be opened"));
    if (auto status = ReadLines(file, stream, &log); !status.ok()) return status;
  }
  return log;
}

absl::StatusOr<AuditLog> ParseAuditLog(const std::string& name, const std::string& text) {
  AuditLog log;
  std::istringstream stream(text);
  if (auto status = ReadLines(name, stream, &log); !status.ok()) return status;
  return log;
}

}  // namespace headgate::planner
