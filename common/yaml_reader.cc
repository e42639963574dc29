// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace headgate {

struct YamlReader::State {
  std::string file;
  YAML::Node root;
  bool broken = false;  // not YAML at all: further complaints would only be noise
  std::vector<std::pair<int, std::string>> complaints;  // by line

  void Complain(int line, const std::string& path, const std::string& message) {
    if (broken) return;
    complaints.emplace_back(line, absl::StrCat(file, ":", line, ": ", path, path.empty() ? "" : ": ", message));
  }
};

namespace {

struct Entry {
  std::string key;
  int line = 0;
  YAML::Node value;
};

int Line(const YAML::Node& node) { return std::max(0, node.Mark().line) + 1; }

// Where a second document begins. YAML::LoadAll would not do: after a comma outside of a list it makes empty documents
// without end.
class DocumentCounter : public YAML::EventHandler {
 public:
  bool two() const { return documents_ > 1; }
  int line() const { return line_; }

  void OnDocumentStart(const YAML::Mark& mark) override { ++documents_, line_ = std::max(0, mark.line) + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int documents_ = 0, line_ = 1;
};

// Quoted scalars are strings whatever they look like.
bool Plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() == "?"; }

}  // namespace

struct YamlReader::Map::State {
  std::shared_ptr<YamlReader::State> reader;
  std::string path;  // `policy`, `tenants[2]`; empty for the root
  int line = 1;
  std::vector<Entry> entries;
  std::set<std::string> asked;

  State(std::shared_ptr<YamlReader::State> reader_in, std::string path_in, int line_in, const YAML::Node& node)
      : reader(std::move(reader_in)), path(std::move(path_in)), line(line_in) {
    if (!node.IsDefined() || node.IsNull()) return;
    if (!node.IsMap()) {
      reader->Complain(Line(node), path, "must be a map of keys and values");
      return;
    }
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        reader->Complain(Line(pair.first), path, "keys must be plain words");
        continue;
      }
      Entry entry{pair.first.Scalar(), Line(pair.first), pair.second};
      if (Find(entry.key) != nullptr) {
        reader->Complain(entry.line, PathOf(entry.key), "given twice");
        continue;
      }
      entries.push_back(std::move(entry));
    }
  }

  std::string PathOf(const std::string& key) const { return path.empty() ? key : absl::StrCat(path, ".", key); }
  const Entry* Find(const std::string& key) const {
    for (const Entry& entry : entries) {
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  const Entry* Ask(const std::string& key) {
    asked.insert(key);
    return Find(key);
  }
  // False, with a complaint.
  bool Wrong(const Entry& entry, const std::string& message) {
    reader->Complain(entry.line, PathOf(entry.key), message);
    return false;
  }
};

YamlReader::Map::Map(std::unique_ptr<State> state) : state_(std::move(state)) {}
YamlReader::Map::Map(Map&&) noexcept = default;
YamlReader::Map::~Map() = default;

bool YamlReader::Map::Has(const std::string& key) const { return state_->Find(key) != nullptr; }

std::vector<std::string> YamlReader::Map::Keys() const {
  std::vector<std::string> keys;
  for (const Entry& entry : state_->entries) keys.push_back(entry.key);
  return keys;
}

bool YamlReader::Map::Get(const std::string& key, std::string* out) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  if (!entry->value.IsScalar()) return state_->Wrong(*entry, "must be text");
  *out = entry->value.Scalar();
  return true;
}

bool YamlReader::Map::Get(const std::string& key, bool* out) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  const std::string text = Plain(entry->value) ? entry->value.Scalar() : "";
  if (text != "true" && text != "false") return state_->Wrong(*entry, "must be true or false");
  *out = text == "true";
  return true;
}

bool YamlReader::Map::Get(const std::string& key, int64_t* out, int64_t low, int64_t high) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  int64_t value = 0;
  if (!Plain(entry->value) || !absl::SimpleAtoi(entry->value.Scalar(), &value)) {
    return state_->Wrong(*entry, "must be a whole number");
  }
  if (value < low || value > high) {
    return state_->Wrong(*entry, absl::StrCat(value, " is out of range; use ", low, " to ", high));
  }
  *out = value;
  return true;
}

bool YamlReader::Map::Get(const std::string& key, double* out, double low, double high) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  double value = 0;
  if (!Plain(entry->value) || !absl::SimpleAtod(entry->value.Scalar(), &value)) {
    return state_->Wrong(*entry, "must be a number");
  }
  // Written so that NaN is out of range.
  if (!(value >= low && value <= high)) {
    return state_->Wrong(*entry, absl::StrFormat("%.15g is out of range; use %.15g to %.15g", value, low, high));
  }
  *out = value;
  return true;
}

bool YamlReader::Map::Get(const std::string& key, absl::Duration* out, absl::Duration low, absl::Duration high) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  absl::Duration value;
  if (!entry->value.IsScalar() || !absl::ParseDuration(entry->value.Scalar(), &value)) {
    return state_->Wrong(*entry, "must be a duration such as 250ms, 10s or 5m");
  }
  if (value < low || value > high) {
    return state_->Wrong(*entry, absl::StrCat(absl::FormatDuration(value), " is out of range; use ",
                                              absl::FormatDuration(low), " to ", absl::FormatDuration(high)));
  }
  *out = value;
  return true;
}

bool YamlReader::Map::Get(const std::string& key, std::vector<std::string>* out) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return false;
  if (!entry->value.IsSequence()) return state_->Wrong(*entry, "must be a list of texts");
  std::vector<std::string> texts;
  for (const YAML::Node& item : entry->value) {
    if (!item.IsScalar()) return state_->Wrong(*entry, "must be a list of texts");
    texts.push_back(item.Scalar());
  }
  *out = std::move(texts);
  return true;
}

std::optional<YamlReader::Map> YamlReader::Map::GetMap(const std::string& key) {
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr) return std::nullopt;
  return Map(std::make_unique<State>(state_->reader, state_->PathOf(key), entry->line, entry->value));
}

std::vector<YamlReader::Map> YamlReader::Map::GetList(const std::string& key) {
  std::vector<Map> maps;
  const Entry* entry = state_->Ask(key);
  if (entry == nullptr || entry->value.IsNull()) return maps;
  if (!entry->value.IsSequence()) {
    state_->Wrong(*entry, "must be a list");
    return maps;
  }
  for (const YAML::Node& item : entry->value) {
    const std::string path = absl::StrCat(state_->PathOf(key), "[", maps.size(), "]");
    maps.push_back(Map(std::make_unique<State>(state_->reader, path, Line(item), item)));
  }
  return maps;
}

void YamlReader::Map::Complain(const std::string& key, const std::string& message) {
  int line = state_->line;
  // `words[3]` points at the element.
  const size_t bracket = key.find('[');
  if (const Entry* entry = state_->Find(key.substr(0, bracket))) {
    line = entry->line;
    size_t index = 0;
    if (bracket != std::string::npos && entry->value.IsSequence() &&
        absl::SimpleAtoi(key.substr(bracket + 1, key.find(']') - bracket - 1), &index) &&
        index < entry->value.size()) {
      line = Line(entry->value[index]);
    }
  }
  state_->reader->Complain(line, key.empty() ? state_->path : state_->PathOf(key), message);
}

void YamlReader::Map::Require(const std::string& key) {
  state_->asked.insert(key);
  if (!Has(key)) Complain(key, "is required");
}

void YamlReader::Map::Finish() {
  for (const Entry& entry : state_->entries) {
    if (state_->asked.contains(entry.key)) continue;
    std::string known;
    for (const std::string& key : state_->asked) absl::StrAppend(&known, known.empty() ? "" : ", ", key);
    state_->Wrong(entry, absl::StrCat("unknown key; known here: ", known));
  }
}

YamlReader::YamlReader(std::string file_name, const std::string& text) : state_(std::make_shared<State>()) {
  state_->file = std::move(file_name);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    DocumentCounter documents;
    while (!documents.two() && parser.HandleNextDocument(documents)) {
    }
    if (documents.two()) state_->Complain(documents.line(), "", "only one YAML document is read");
    state_->root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    state_->Complain(std::max(0, error.mark.line) + 1, "", absl::StrCat("not valid YAML: ", error.msg));
    state_->broken = true;
    state_->root = YAML::Node();
  }
}

YamlReader::~YamlReader() = default;

YamlReader::Map YamlReader::Root() { return Map(std::make_unique<Map::State>(state_, "", 1, state_->root)); }

absl::Status YamlReader::status() const {
  if (state_->complaints.empty()) return absl::OkStatus();
  auto complaints = state_->complaints;
  std::stable_sort(complaints.begin(), complaints.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string all;
  for (const auto& [line, text] : complaints) absl::StrAppend(&all, all.empty() ? "" : "\n", text);
  return absl::InvalidArgumentError(all);
}

}  // namespace headgate
