// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/audit_log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <nlohmann/json.hpp>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "planner/exchange.h"

namespace headgate::planner {
namespace {

constexpr int64_t kCountMax = int64_t{1} << 40;
constexpr size_t kLineBytesMax = 1 << 20;
constexpr size_t kNotesMax = 8;  // of a kind that may be on every line

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
  std::string Required(const json& object, const char* key) {
    if (!object.contains(key)) Complain(key, "is required");
    return Text(object, key);
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

// All segments of a log, one after the other.
class Reader {
 public:
  absl::Status Read(const std::string& file, std::istream& stream) {
    std::string text;
    for (int64_t number = 1; std::getline(stream, text); ++number) {
      where_ = absl::StrCat(file, ":", number);
      const std::string wrong = text.size() > kLineBytesMax ? std::string("line: is longer than 1 MiB") : Parse(text);
      if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrCat(where_, ": ", wrong));
    }
    return absl::OkStatus();
  }

  AuditLog Take() {
    if (missing_ > 0) {
      log_.notes.push_back(
          absl::StrCat(missing_, " records are missing from chains (the first before ", missing_at_,
                       "): what they cost and used is not known; `headgate audit verify` says more"));
    }
    if (lost_ > 0) {
      log_.notes.push_back(absl::StrCat("the router could not write ", lost_,
                                        " records: what they cost and used is not known"));
    }
    if (contradictions_ > kNotesMax) {
      log_.notes.push_back(absl::StrCat(contradictions_ - kNotesMax, " more lines that contradict themselves"));
    }
    return std::move(log_);
  }

 private:
  // A record that is there twice would be paid for twice.
  void CheckSequence(Line& line, const json& record) {
    const std::string chain = line.Text(record, "chain_id");
    if (chain.empty()) return;
    const int64_t sequence = line.Count(record, "sequence");
    const auto [found, is_new] = next_.emplace(chain, 0);
    if (sequence < found->second) {
      line.Complain("sequence", absl::StrCat(sequence, " of chain ", chain,
                                             " comes again or too late: is a segment there twice?"));
    }
    if (sequence > found->second) {
      if (missing_ == 0) missing_at_ = where_;
      missing_ += sequence - found->second;
    }
    found->second = sequence + 1;
  }

  // At most `most`, or it is said.
  void Bound(const char* key, int64_t* value, const char* of, int64_t most) {
    if (*value <= most) return;
    if (contradictions_++ < kNotesMax) {
      log_.notes.push_back(absl::StrCat(where_, ": usage.", key, ": ", *value, " is above ", of, " (", most,
                                        "): counted as ", most));
    }
    *value = most;
  }

  void ReadUsage(Line& line, AuditOutcome* out) {
    const json& usage = line.Object("usage");
    out->prompt_tokens = line.Count(usage, "prompt_tokens");
    out->completion_tokens = line.Count(usage, "completion_tokens");
    out->cached_tokens = line.Count(usage, "cached_tokens");
    out->reasoning_tokens = line.Count(usage, "reasoning_tokens");
    Bound("cached_tokens", &out->cached_tokens, "prompt_tokens", out->prompt_tokens);
    Bound("reasoning_tokens", &out->reasoning_tokens, "completion_tokens", out->completion_tokens);
  }

  static void ReadCost(Line& line, AuditOutcome* out) {
    const json& cost = line.Object("cost");
    if (cost.empty()) return;
    out->price_version = line.Required(cost, "price_version");
    out->currency = line.Required(cost, "currency");
    if (!cost.contains("micro_units")) line.Complain("micro_units", "is required");
    out->cost_micro_units = line.Count(cost, "micro_units");
    if (!IsCurrency(out->currency)) line.Complain("currency", "must be a currency code of three capital letters");
    if (out->price_version.empty()) line.Complain("price_version", "must not be empty");
    out->priced = true;
  }

  std::string Parse(const std::string& text) {
    const json record = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object()) return "line: is no JSON object";
    Line line(record);
    ++log_.records;
    CheckSequence(line, record);
    const std::string kind = line.Required(record, "kind");
    const std::string detail = line.Text(record, "detail");
    constexpr char kLost[] = "audit writable again; records lost: ";
    int64_t lost = 0;
    if (kind == "admin" && absl::StartsWith(detail, kLost) && absl::SimpleAtoi(detail.substr(sizeof(kLost) - 1), &lost))
      lost_ += std::clamp<int64_t>(lost, 0, kCountMax);
    if (kind != "outcome") return line.wrong();
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
    outcome.status = line.Required(record, "status");
    const std::string level = line.Text(record, "sensitivity");
    outcome.sensitive = level == "confidential" || level == "restricted" ||
                        line.Text(record, "classification_state") != "classified";
    const json& route = line.Object("route");
    outcome.target = line.Required(route, "target");
    if (outcome.target != "local" && outcome.target != "cloud" && outcome.target != "unspecified") {
      line.Complain("target", "must be local, cloud or unspecified");
    }
    outcome.model = line.Text(route, "model");
    outcome.endpoint = line.Text(route, "endpoint");
    ReadUsage(line, &outcome);
    ReadCost(line, &outcome);
    outcome.estimated = absl::StrContains(detail, "estimated");
    // A local answer costs nothing: its cost is that of attempts at the cloud.
    outcome.lost_attempts = absl::StrContains(detail, "failed cloud attempts estimated") ||
                            absl::StrContains(detail, "hedge lost") || (outcome.priced && outcome.target != "cloud");
    outcome.hedged = absl::StrContains(detail, "hedge ");
    outcome.cloud_attempts = line.Count(record, "cloud_attempts");
    const std::string digest = line.Text(record, "content_digest");
    if (!digest.empty()) outcome.content = absl::HashOf(digest) | 1;
    if (line.wrong().empty()) log_.outcomes.push_back(std::move(outcome));
    return line.wrong();
  }

  AuditLog log_;
  std::map<std::string, int64_t> next_;  // by chain: the sequence that should come
  int64_t missing_ = 0, lost_ = 0;
  size_t contradictions_ = 0;
  std::string where_, missing_at_;
};

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
  Reader reader;
  for (const std::string& file : files) {
    std::ifstream stream(file);
    if (!stream) return absl::NotFoundError(absl::StrCat(file, ": cannot be opened"));
    if (auto status = reader.Read(file, stream); !status.ok()) return status;
  }
  return reader.Take();
}

absl::StatusOr<AuditLog> ParseAuditLog(const std::string& name, const std::string& text) {
  Reader reader;
  std::istringstream stream(text);
  if (auto status = reader.Read(name, stream); !status.ok()) return status;
  return reader.Take();
}

}  // namespace headgate::planner
