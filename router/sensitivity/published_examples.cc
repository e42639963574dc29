// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/published_examples.h"

#include <algorithm>
#include <string>

#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr std::string_view kKeys[] = {
    // AWS, "Managing access keys for IAM users" and "Signing requests"
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAI44QH8DHBEXAMPLE",
    "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    // RFC 6749
    "2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "SplxlOBeZQQYbYS6WxSbIA", "s6BhdRkqt3",
    "7Fjfp0ZBr1KtDRbnfVdmIw", "gX1fBat3bV",
    // RFC 7519, section 3.1
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
    "S9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    // jwt.io
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"};

// The SWIFT registry of IBANs, and ISO 13616's.
constexpr std::string_view kAccounts[] = {
    "GB82WEST12345698765432", "GB29NWBK60161331926819", "GB33BUKB20201555555555", "DE89370400440532013000",
    "NL91ABNA0417164300",     "ES9121000418450200051332", "CH9300762011623852957", "BE68539007547034",
    "AT611904300234573201",   "FR1420041010050500013M02606", "IT60X0542811101000000123456", "IE29AIBK93115212345678"};

// Of those that go over several lines of a text a piece may have been found.
constexpr size_t kPieceMin = 36;

bool IsKey(std::string_view value) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [value](std::string_view key) {
    return key == value || (value.size() >= kPieceMin && key.find(value) != std::string_view::npos);
  });
}

}  // namespace

bool IsPublishedExample(std::string_view value) {
  if (IsKey(value)) return true;
  const size_t equals = value.find('='), next = value.find('&');
  const auto is_name = [](char c) { return IsLetter(c) || c == '_'; };
  const std::string_view name = value.substr(0, equals == std::string_view::npos ? 0 : equals);
  const std::string_view behind = next == std::string_view::npos ? "" : value.substr(next + 1);
  if (std::all_of(name.begin(), name.end(), is_name) && std::all_of(behind.begin(), behind.end(), is_name)) {
    const size_t begin = name.empty() ? 0 : equals + 1;
    if ((begin > 0 || next != std::string_view::npos) && begin <= next && IsKey(value.substr(begin, next - begin))) {
      return true;
    }
  }
  constexpr size_t kWrittenMax = 64;  // with signs between the groups
  if (value.size() > kWrittenMax) return false;
  std::string bare;
  for (const char c : value) {
    if (IsAlnum(c)) bare += UpperAscii(c);
  }
  return std::find(std::begin(kAccounts), std::end(kAccounts), bare) != std::end(kAccounts);
}

}  // namespace headgate::router
