// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit_record.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/every_byte.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using nlohmann::json;

constexpr std::string_view kMacKey = ",\"mac\":\"";
constexpr size_t kMacHexSize = 64;
constexpr std::string_view kEnding = "\"}";
constexpr size_t kTail = kMacKey.size() + kMacHexSize + kEnding.size();
constexpr size_t kTextBytesMax = 512;
constexpr std::string_view kAnchor = "headgate-audit-anchor ";
constexpr int kDepthMax = 6;  // of a record; its own is 3

std::string ShortName(const std::string& name, size_t prefix_size) {
  std::string out = name.substr(std::min(prefix_size, name.size()));
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view Cut(std::string_view text) { return text.substr(0, kTextBytesMax); }

// Nothing to escape.
bool IsPlain(std::string_view text) {
  return EveryByte(text, [](uint8_t c) { return (c >= 0x20) & (c < 0x7f) & (c != '"') & (c != '\\'); });
}

// As nlohmann writes it in ASCII. Nearly all texts are plain names and digits.
void AppendQuoted(std::string& out, std::string_view text) {
  if (!IsPlain(text)) {
    out.append(json(text).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace));
    return;
  }
  out.append(1, '"').append(text).append(1, '"');
}
// Writes one object's members, which must come in the order of their keys: two records are written for every request,
// so nothing is put in order here and no tree is built. audit_test compares with what nlohmann writes.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  // Where the value goes.
  std::string& Key(std::string_view key) {
    out_.append(std::exchange(first_, false) ? "\"" : ",\"").append(key).append("\":");
    return out_;
  }
  void Text(std::string_view key, std::string_view text) { AppendQuoted(Key(key), Cut(text)); }
  void TextUnlessEmpty(std::string_view key, std::string_view text) {
    if (!text.empty()) Text(key, text);
  }
  // Of our own making: letters, digits and the like.
  void Name(std::string_view key, std::string_view name) {
    Key(key).append(1, '"').append(name).append(1, '"');
  }
  void Number(std::string_view key, const absl::AlphaNum& number) { absl::StrAppend(&Key(key), number); }
  void End() { out_.push_back('}'); }

 private:
  std::string& out_;
  bool first_ = true;
};

template <typename List, typename Write>
void AppendArray(std::string& out, const List& list, Write write) {
  char before = '[';
  for (const auto& item : list) {
    out.push_back(std::exchange(before, ','));
    write(item);
  }
  out.append(before == '[' ? "[]" : "]");
}

void AppendFinding(const v1::Finding& finding, std::string& out) {
  ObjectWriter members(out);
  members.Number("begin", finding.begin());
  members.Number("end", finding.end());
  members.Text("field", finding.field());
  members.Name("level", AuditLevelName(finding.level()));
  members.Key("score").append(json(finding.score()).dump());
  members.Text("type", finding.type());
  members.End();
}

// The highest levels first when they are more than a record holds: a prompt full of telephone numbers must not make a
// line that no reader takes.
void AddFindings(const v1::AuditRecord& record, ObjectWriter& out) {
  std::vector<const v1::Finding*> kept;
  for (const v1::Finding& finding : record.findings()) kept.push_back(&finding);
  int left_out = record.findings_left_out();
  if (kept.size() > kAuditFindingsMax) {
    std::stable_sort(kept.begin(), kept.end(), [](auto* a, auto* b) { return a->level() > b->level(); });
    left_out += static_cast<int>(kept.size()) - kAuditFindingsMax;
    kept.resize(kAuditFindingsMax);
  }
  if (!kept.empty()) {
    std::string& to = out.Key("findings");
    AppendArray(to, kept, [&to](const v1::Finding* finding) { AppendFinding(*finding, to); });
  }
  if (left_out > 0) out.Number("findings_left_out", left_out);
}

void AppendRoute(const v1::Route& route, std::string& out) {
  ObjectWriter members(out);
  members.TextUnlessEmpty("endpoint", route.endpoint());
  members.TextUnlessEmpty("model", route.model());
  AppendArray(members.Key("reasons"), route.reasons(),
              [&out](const std::string& reason) { AppendQuoted(out, Cut(reason)); });
  members.Name("target", AuditTargetName(route.target()));
  members.End();
}

void AppendCost(const v1::AuditRecord& record, std::string& out) {
  ObjectWriter members(out);
  members.Text("currency", record.currency());
  members.Number("micro_units", record.cost_micro_units());
  members.Text("price_version", record.price_version());
  members.End();
}

void AppendUsage(const v1::Usage& usage, std::string& out) {
  ObjectWriter members(out);
  members.Number("cached_tokens", usage.cached_tokens());
  members.Number("completion_tokens", usage.completion_tokens());
  members.Number("prompt_tokens", usage.prompt_tokens());
  members.Number("reasoning_tokens", usage.reasoning_tokens());
  members.End();
}

void AppendHead(const v1::ChainHead& head, std::string& out) {
  ObjectWriter members(out);
  members.Text("chain_id", head.chain_id());
  members.Text("mac", head.mac());
  members.Number("sequence", head.sequence());
  members.End();
}

// Request ids and tenants are ASCII by rule; anything else is escaped rather than trusted.
std::string Body(const v1::AuditRecord& record) {
  const bool outcome = record.kind() == v1::AuditRecord::KIND_OUTCOME;
  std::string line;
  line.reserve(1024 + kTail);
  ObjectWriter out(line);
  out.TextUnlessEmpty("api", record.api());
  out.Name("chain_id", record.chain_id());
  out.TextUnlessEmpty("classification_state", record.classification_state());
  if (outcome) out.Number("cloud_attempts", record.cloud_attempts());
  out.TextUnlessEmpty("content_digest", record.content_digest());
  if (outcome && !record.price_version().empty()) AppendCost(record, out.Key("cost"));
  if (record.count() > 0) out.Number("count", record.count());
  out.TextUnlessEmpty("detail", record.detail());
  if (outcome) out.Number("duration_us", record.duration_us());
  AddFindings(record, out);
  if (outcome) out.Number("first_token_us", record.first_token_us());
  out.TextUnlessEmpty("input_digest", record.input_digest());
  out.TextUnlessEmpty("key_id", record.key_id());
  out.Name("kind", AuditKindName(record.kind()));
  out.TextUnlessEmpty("output_digest", record.output_digest());
  out.TextUnlessEmpty("policy_version", record.policy_version());
  if (!record.predecessors().empty()) {
    AppendArray(out.Key("predecessors"), record.predecessors(),
                [&line](const v1::ChainHead& head) { AppendHead(head, line); });
  }
  out.Name("previous_mac", record.previous_mac());
  out.TextUnlessEmpty("request_id", record.request_id());
  if (record.has_route()) AppendRoute(record.route(), out.Key("route"));
  if (record.sensitivity() != v1::SENSITIVITY_LEVEL_UNSPECIFIED) {
    out.Name("sensitivity", AuditLevelName(record.sensitivity()));
  }
  out.Number("sequence", record.sequence());
  out.TextUnlessEmpty("stage", record.stage());
  out.TextUnlessEmpty("status", record.status());
  out.TextUnlessEmpty("tenant", record.tenant());
  if (record.text_bytes() > 0) out.Number("text_bytes", record.text_bytes());
  out.Name("time", record.time());
  if (outcome && record.has_usage()) AppendUsage(record.usage(), out.Key("usage"));
  out.End();
  return line;
}

// Every text that a record may lack, by its key.
template <typename Visit>
void ReadTexts(v1::AuditRecord& record, Visit read) {
  record.set_request_id(read("request_id"));
  record.set_tenant(read("tenant"));
  record.set_api(read("api"));
  record.set_policy_version(read("policy_version"));
  record.set_classification_state(read("classification_state"));
  record.set_content_digest(read("content_digest"));
  record.set_status(read("status"));
  record.set_stage(read("stage"));
  record.set_detail(read("detail"));
  record.set_input_digest(read("input_digest"));
  record.set_output_digest(read("output_digest"));
  record.set_key_id(read("key_id"));
}

// An object's values by type, with the first complaint kept.
class Fields {
 public:
  explicit Fields(const json& object, std::string* wrong) : object_(object), wrong_(wrong) {}
  std::string Text(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return "";
    if (!found->is_string()) return Complain(key, "is no text"), "";
    return found->get<std::string>();
  }
  int64_t Count(const char* key, int64_t max = std::numeric_limits<int64_t>::max()) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return 0;
    if (found->is_number_unsigned() && found->get<uint64_t>() <= static_cast<uint64_t>(max)) {
      return static_cast<int64_t>(found->get<uint64_t>());
    }
    return Complain(key, "is no whole number in range"), 0;
  }
  double Number(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return 0;
    if (!found->is_number()) return Complain(key, "is no number"), 0;
    return found->get<double>();
  }
  const json& Child(const char* key, json::value_t type) const {
    static const json kNothing;
    const auto found = object_.find(key);
    if (found == object_.end()) return kNothing;
    if (found->type() != type) return Complain(key, "has the wrong type"), kNothing;
    return *found;
  }
  template <typename E>
  E Enum(const char* key, bool (*parse)(const std::string&, E*), const std::string& prefix) const {
    const std::string text = Text(key);
    E value = E();
    std::string name = prefix + text;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    if (text.empty()) return value;
    if (!parse(name, &value)) Complain(key, "has an unknown value");
    return value;
  }
  void Complain(const char* key, const char* what) const {
    if (wrong_->empty()) *wrong_ = absl::StrCat(key, " ", what);
  }

 private:
  const json& object_;
  std::string* const wrong_;
};

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();

void ReadFindings(const json& list, v1::AuditRecord& record, std::string* wrong) {
  for (const json& item : list) {
    if (!item.is_object()) return Fields(list, wrong).Complain("findings", "holds something else");
    const Fields fields(item, wrong);
    v1::Finding& finding = *record.add_findings();
    finding.set_type(fields.Text("type"));
    finding.set_level(fields.Enum<v1::SensitivityLevel>("level", &v1::SensitivityLevel_Parse, "SENSITIVITY_LEVEL_"));
    finding.set_score(fields.Number("score"));
    finding.set_field(fields.Text("field"));
    finding.set_begin(static_cast<int32_t>(fields.Count("begin", kInt32Max)));
    finding.set_end(static_cast<int32_t>(fields.Count("end", kInt32Max)));
  }
}

void ReadParts(const Fields& fields, v1::AuditRecord& record, std::string* wrong) {
  ReadFindings(fields.Child("findings", json::value_t::array), record, wrong);
  if (const json& route = fields.Child("route", json::value_t::object); route.is_object()) {
    const Fields part(route, wrong);
    v1::Route& out = *record.mutable_route();
    out.set_target(part.Enum<v1::Route::Target>("target", &v1::Route::Target_Parse, "TARGET_"));
    out.set_endpoint(part.Text("endpoint"));
    out.set_model(part.Text("model"));
    for (const json& reason : part.Child("reasons", json::value_t::array)) {
      if (reason.is_string()) out.add_reasons(reason.get<std::string>());
    }
  }
  if (const json& usage = fields.Child("usage", json::value_t::object); usage.is_object()) {
    const Fields part(usage, wrong);
    v1::Usage& out = *record.mutable_usage();
    out.set_prompt_tokens(part.Count("prompt_tokens"));
    out.set_completion_tokens(part.Count("completion_tokens"));
    out.set_cached_tokens(part.Count("cached_tokens"));
    out.set_reasoning_tokens(part.Count("reasoning_tokens"));
  }
  if (const json& cost = fields.Child("cost", json::value_t::object); cost.is_object()) {
    const Fields part(cost, wrong);
    record.set_cost_micro_units(part.Count("micro_units"));
    record.set_currency(part.Text("currency"));
    record.set_price_version(part.Text("price_version"));
  }
  for (const json& item : fields.Child("predecessors", json::value_t::array)) {
    if (!item.is_object()) return fields.Complain("predecessors", "holds something else");
    const Fields part(item, wrong);
    v1::ChainHead& head = *record.add_predecessors();
    head.set_chain_id(part.Text("chain_id"));
    head.set_sequence(static_cast<uint64_t>(part.Count("sequence")));
    head.set_mac(part.Text("mac"));
  }
}

// nlohmann's parser recurses; a line of brackets must not use up the stack.
bool TooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDepthMax) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool HasMac(std::string_view line) {
  return line.size() > kTail && line.size() <= kAuditLineBytesMax && line[0] == '{' &&
         line.substr(line.size() - kTail, kMacKey.size()) == kMacKey &&
         line.substr(line.size() - kEnding.size()) == kEnding &&
         IsHex(line.substr(line.size() - kEnding.size() - kMacHexSize, kMacHexSize));
}

}  // namespace

std::string AuditKindName(v1::AuditRecord::Kind kind) { return ShortName(v1::AuditRecord::Kind_Name(kind), 5); }
std::string AuditLevelName(v1::SensitivityLevel level) { return ShortName(v1::SensitivityLevel_Name(level), 18); }
std::string AuditTargetName(v1::Route::Target target) { return ShortName(v1::Route::Target_Name(target), 7); }

std::string AuditKeyId(std::string_view key) { return Hex(HmacSha256(key, "headgate audit key id")).substr(0, 16); }

std::string WriteAuditLine(std::string_view key, const v1::AuditRecord& record, std::string* mac) {
  std::string line = Body(record);
  *mac = Hex(HmacSha256(key, line));
  line.pop_back();
  return line.append(kMacKey).append(*mac).append(kEnding);
}

absl::Status CheckAuditLine(std::string_view key, std::string_view line) {
  if (!HasMac(line)) return absl::DataLossError("not a complete record");
  const std::string body = std::string(line.substr(0, line.size() - kTail)) + "}";
  const std::string_view mac = line.substr(line.size() - kEnding.size() - kMacHexSize, kMacHexSize);
  if (!EqualConstantTime(Hex(HmacSha256(key, body)), mac)) {
    return absl::DataLossError("changed, or made with another key");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::AuditRecord> ReadAuditLine(std::string_view line) {
  if (!HasMac(line)) return absl::DataLossError("not a complete record");
  if (TooDeep(line)) return absl::DataLossError("not a record: too deep");
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::DataLossError("not JSON");
  std::string wrong;
  const Fields fields(object, &wrong);
  v1::AuditRecord record;
  record.set_sequence(static_cast<uint64_t>(fields.Count("sequence")));
  record.set_chain_id(fields.Text("chain_id"));
  record.set_kind(fields.Enum<v1::AuditRecord::Kind>("kind", &v1::AuditRecord::Kind_Parse, "KIND_"));
  record.set_time(fields.Text("time"));
  record.set_previous_mac(fields.Text("previous_mac"));
  record.set_mac(fields.Text("mac"));
  ReadTexts(record, [&fields](const char* key) { return fields.Text(key); });
  record.set_sensitivity(
      fields.Enum<v1::SensitivityLevel>("sensitivity", &v1::SensitivityLevel_Parse, "SENSITIVITY_LEVEL_"));
  record.set_text_bytes(fields.Count("text_bytes"));
  record.set_count(fields.Count("count"));
  record.set_findings_left_out(static_cast<int32_t>(fields.Count("findings_left_out", kInt32Max)));
  record.set_cloud_attempts(static_cast<int32_t>(fields.Count("cloud_attempts", kInt32Max)));
  record.set_duration_us(fields.Count("duration_us"));
  record.set_first_token_us(fields.Count("first_token_us"));
  ReadParts(fields, record, &wrong);
  if (record.kind() == v1::AuditRecord::KIND_UNSPECIFIED) fields.Complain("kind", "is missing");
  if (!wrong.empty()) return absl::DataLossError(absl::StrCat("not a record: ", wrong));
  return record;
}

std::string WriteAuditAnchor(const AuditAnchor& anchor, std::string_view time) {
  return absl::StrCat(std::string(kAnchor), "chain=", anchor.chain_id, " sequence=", anchor.sequence,
                      " mac=", anchor.mac, " time=", std::string(time));
}

absl::StatusOr<AuditAnchor> ReadAuditAnchor(std::string_view line) {
  const size_t at = line.find(kAnchor);
  if (at == std::string_view::npos) return absl::NotFoundError("no anchor");
  std::string_view rest = line.substr(at + kAnchor.size());
  const auto field = [&rest](std::string_view key) {
    if (rest.substr(0, key.size()) != key) return std::string();
    rest.remove_prefix(key.size());
    // A log collector may have wrapped the line into JSON: the values themselves have letters and digits only.
    size_t end = 0;
    while (end < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[end])) || rest[end] == '-')) ++end;
    const std::string value(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return value;
  };
  AuditAnchor anchor;
  anchor.chain_id = field("chain=");
  const bool number = absl::SimpleAtoi(field("sequence="), &anchor.sequence);
  anchor.mac = field("mac=");
  const bool mac = anchor.mac.size() == kMacHexSize && IsHex(anchor.mac);
  if (anchor.chain_id.empty() || !number || !mac) return absl::InvalidArgumentError("a damaged anchor");
  return anchor;
}

}  // namespace headgate::router
