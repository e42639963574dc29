// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The section `sensitivity`: levels, keyword lists with their files, allow-lists.
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "router/config_sections.h"
#include "router/detector_types.h"

namespace headgate::router {
namespace {

std::string_view Stripped(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

void ReadDetectorLevels(YamlMap& parent, SensitivityConfig* out) {
  auto map = parent.GetMap("detector_levels");
  if (!map) return;
  for (const std::string& name : map->Keys()) {
    v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
    if (!GetLevel(*map, name, &level)) continue;
    if (FindDetectorType(name) == nullptr) {
      map->Complain(name, "unknown detector; docs/detection.md lists them");
    } else if (level < out->threshold) {
      map->Complain(name, absl::StrCat("a sensitive class could reach the cloud: ", LevelName(level),
                                       " is below the threshold; use ", LevelName(out->threshold), " or higher"));
    }
    out->detector_levels[name] = level;
  }
  map->Finish();
}

// The lines of a dictionary: one entry a line, `#` begins a comment line.
void ReadWordsFile(YamlMap& map, const std::string& file, std::vector<std::string>* words) {
  constexpr size_t kWordsMax = 200'000, kWordBytesMax = 256;
  const std::string name = std::filesystem::path(file).filename().string();
  std::ifstream in(file, std::ios::binary);
  if (!in) return map.Complain("words_file", absl::StrCat("cannot be read: ", name));
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    const std::string_view stripped = Stripped(line);
    if (stripped.empty() || stripped[0] == '#') continue;
    if (stripped.size() > kWordBytesMax || words->size() == kWordsMax) {
      return map.Complain("words_file", absl::StrCat(name, ":", number, ": at most ", kWordBytesMax,
                                                     " bytes an entry and ", kWordsMax, " entries"));
    }
    words->emplace_back(stripped);
  }
  if (words->empty()) map.Complain("words_file", absl::StrCat("has no entry: ", name));
}

// Either `words` or `words_file`, which is watched like the configuration itself.
void ReadListWords(YamlMap& map, const std::string& base, KeywordListConfig* list, std::vector<std::string>* files) {
  if (!map.Has("words_file")) return GetWords(map, "words", &list->words);
  if (map.Has("words")) map.Complain("words_file", "give either words or words_file");
  std::string file;
  if (!GetPath(map, "words_file", base, &file)) return;
  files->push_back(file);
  ReadWordsFile(map, file, &list->words);
}

void ReadKeywordLists(YamlMap& parent, const std::string& base, SensitivityConfig* out,
                      std::vector<std::string>* files) {
  std::set<std::string> names;
  for (YamlMap& map : parent.GetList("keyword_lists")) {
    KeywordListConfig list;
    GetUniqueName(map, "name", &names, &list.name);
    GetLevel(map, "level", &list.level);
    ReadListWords(map, base, &list, files);
    if (list.level < out->threshold) {
      map.Complain("level", absl::StrCat("unreachable rule: ", LevelName(list.level),
                                         " is below sensitivity.threshold, so a match would change nothing; use ",
                                         LevelName(out->threshold), " or higher, or delete the list"));
    }
    map.Finish();
    out->keyword_lists.push_back(std::move(list));
  }
}

// Values that are known to be public. Somebody answers for each list, and it ends by itself.
void ReadAllowLists(YamlMap& parent, SensitivityConfig* out) {
  std::set<std::string> names;
  for (YamlMap& map : parent.GetList("allow_lists")) {
    AllowListConfig list;
    GetUniqueName(map, "name", &names, &list.name);
    map.Require("owner");
    map.Get("owner", &list.owner);
    map.Require("expires");
    std::string expires, error;
    if (map.Get("expires", &expires) && !absl::ParseTime("%Y-%m-%d", expires, &list.expires, &error)) {
      map.Complain("expires", "must be a day such as 2027-01-31; the list ends when that day begins (UTC)");
    }
    map.Require("types");
    map.Get("types", &list.types);
    for (const std::string& type : list.types) {
      if (IsAllowable(type)) continue;
      map.Complain(
          "types",
          absl::StrCat("`", type, "` cannot be allowed; only contacts and addresses can: ", std::string(kAllowable)));
    }
    GetWords(map, "values", &list.values);
    map.Finish();
    out->allow_lists.push_back(std::move(list));
  }
}

}  // namespace

void ReadSensitivity(Reading& reading) {
  auto map = reading.root.GetMap("sensitivity");
  if (!map) return;
  SensitivityConfig& out = reading.config.sensitivity;
  GetLevel(*map, "threshold", &out.threshold);
  if (out.threshold > v1::SENSITIVITY_LEVEL_CONFIDENTIAL) {
    map->Complain("threshold", "a sensitive class could reach the cloud: use confidential or lower");
    out.threshold = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;  // the rest is checked against what is allowed
  }
  ReadDetectorLevels(*map, &out);
  ReadKeywordLists(*map, reading.base, &out, &reading.config.files);
  ReadAllowLists(*map, &out);
  map->Finish();
}

}  // namespace headgate::router
