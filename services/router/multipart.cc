// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/multipart.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

constexpr size_t kBoundaryMax = 70;  // RFC 2046
constexpr size_t kHeaderMax = 4096;  // of one part

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(absl::StripAsciiWhitespace(View(text))); }

// `; name="value"; name=value`. Nothing when it is malformed or a name comes twice.
std::optional<std::map<std::string, std::string>> Parameters(std::string_view text) {
  std::map<std::string, std::string> parameters;
  size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  };
  for (skip_blanks(); at < text.size(); skip_blanks()) {
    if (text[at] != ';') return std::nullopt;
    ++at;
    const size_t equals = text.find('=', at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string name = Lower(text.substr(at, equals - at));
    std::string value;
    at = equals + 1;
    if (at < text.size() && text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        value.push_back(text[at]);
      }
      if (at == text.size()) return std::nullopt;
      ++at;
    } else {
      while (at < text.size() && text[at] != ';' && text[at] != ' ') value.push_back(text[at++]);
    }
    if (name.empty() || !parameters.emplace(name, value).second) return std::nullopt;
  }
  return parameters;
}

absl::StatusOr<std::string> BoundaryOf(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/form-data";
  if (!absl::StartsWithIgnoreCase(View(content_type), View(kType))) {
    return FieldError("content-type", "must be multipart/form-data");
  }
  const auto parameters = Parameters(content_type.substr(kType.size()));
  if (!parameters || !parameters->contains("boundary")) return FieldError("content-type", "has no boundary");
  const std::string& boundary = parameters->at("boundary");
  const bool good = !boundary.empty() && boundary.size() <= kBoundaryMax && boundary.back() != ' ' &&
                    std::all_of(boundary.begin(), boundary.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return good ? absl::StatusOr<std::string>(boundary) : FieldError("content-type", "has a bad boundary");
}

absl::Status ReadHeader(std::string_view header, FormPart& part) {
  while (!header.empty()) {
    const std::string_view line = header.substr(0, header.find("\r\n"));
    header.remove_prefix(std::min(header.size(), line.size() + 2));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return FieldError("body", "a part has a malformed header");
    if (Lower(line.substr(0, colon)) != "content-disposition") continue;
    const std::string_view value = line.substr(colon + 1);
    const size_t semicolon = std::min(value.find(';'), value.size());
    const auto parameters = Parameters(value.substr(semicolon));
    if (Lower(value.substr(0, semicolon)) != "form-data" || !parameters || !parameters->contains("name")) {
      return FieldError("body", "a part has a malformed content-disposition");
    }
    part.name = parameters->at("name");
    if (parameters->contains("filename")) part.filename = parameters->at("filename");
  }
  return part.name.empty() ? FieldError("body", "a part has no name") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FormPart>> ParseForm(std::string_view content_type, std::string_view body) {
  ASSIGN_OR_RETURN(const std::string boundary, BoundaryOf(content_type));
  const std::string first = absl::StrCat("--", boundary);
  const std::string next = absl::StrCat("\r\n--", boundary);
  if (body.substr(0, first.size()) != first) return FieldError("body", "does not begin with the boundary");
  body.remove_prefix(first.size());
  std::vector<FormPart> parts;
  for (;;) {
    if (body.substr(0, 2) == "--") return parts;
    if (body.substr(0, 2) != "\r\n") return FieldError("body", "a boundary is not followed by a line's end");
    body.remove_prefix(2);
    if (parts.size() == kFormPartsMax) {
      return FieldError("body", absl::StrCat("has more than ", kFormPartsMax, " parts"));
    }
    const size_t blank = body.find("\r\n\r\n");
    if (blank == std::string_view::npos || blank > kHeaderMax) return FieldError("body", "a part's header has no end");
    FormPart part;
    RETURN_IF_ERROR(ReadHeader(body.substr(0, blank), part));
    body.remove_prefix(blank + 4);
    const size_t end = body.find(next);
    if (end == std::string_view::npos) return FieldError("body", "the last part has no end");
    part.content = body.substr(0, end);
    body.remove_prefix(end + next.size());
    parts.push_back(std::move(part));
  }
}

}  // namespace headgate::services
