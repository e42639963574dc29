// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What a canary request is filled with: the values that make it sensitive, many or much of something, what stands in
// its place; and the names of kinds and ways in.
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "router/inspection_pool.h"
#include "tests/integration/no_egress/canary_requests.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

constexpr std::string_view kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string RandomToken(size_t size, std::string_view alphabet, std::mt19937& random) {
  std::string token;
  while (token.size() < size) token += alphabet[random() % alphabet.size()];
  return token;
}

std::string ApiKey(std::mt19937& random) {
  switch (random() % 5) {
    case 0: return absl::StrCat("sk-", RandomToken(40, kAlnum, random));
    case 1: return absl::StrCat("ghp_", RandomToken(36, kAlnum, random));
    case 2: return absl::StrCat("LTAI", RandomToken(24, kAlnum, random));
    case 3: return absl::StrCat("sk-ant-", RandomToken(40, kAlnum, random));
    default: return absl::StrCat("hf_", RandomToken(34, kAlnum, random));
  }
}

std::string Jwt(std::mt19937& random) {
  const auto part = [](const std::string& text) { return std::string(absl::WebSafeBase64Escape(text)); };
  return absl::StrCat(part(R"({"alg":"HS256","typ":"JWT"})"), ".",
                      part(absl::StrCat(R"({"sub":")", RandomToken(9, kAlnum, random), "\"}")), ".",
                      RandomToken(43, kAlnum, random));
}

std::string Unreadable(std::mt19937& random) {
  std::string words = "some everyday words about the weather ";
  if (random() % 2 == 0) {
    while (words.size() <= kInspectBytesMax) words += words;
    words.resize(kInspectBytesMax + 1);
    return words;
  }
  for (int depth = 0; depth < 9; ++depth) words = std::string(absl::Base64Escape(words));
  return words;
}

}  // namespace

const char* Name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {"resident_id", "bank_card", "api_key", "jwt", "private_key",
                                                 "declared", "tenant_floor", "keyword", "local_tenant",
                                                 "unreadable", "attack", "follow_up", "everyday",
                                                 "phone", "email", "late_keyword", "late_floor"};
  return kNames[static_cast<int>(kind)];
}

const char* Name(Api api) {
  static constexpr const char* kNames[kApis] = {"direct", "grpc_stream", "grpc", "http_stream", "http", "http_batch",
                                                "grpc_embed", "http_embed", "grpc_count", "explain"};
  return kNames[static_cast<int>(api)];
}

Shape ShapeOf(Kind kind) {
  switch (kind) {
    case Kind::kApiKey:
    case Kind::kJwt: return Shape::kSecret;
    case Kind::kKeyword: return Shape::kWord;
    case Kind::kEmail: return Shape::kEmail;
    default: return Shape::kNumber;
  }
}

std::string MakeValue(Kind kind, std::mt19937& random) {
  switch (kind) {
    case Kind::kResidentId: return RandomResidentId(random);
    case Kind::kBankCard: return WithLuhnCheck("62" + RandomDigits(random, 16));
    case Kind::kApiKey: return ApiKey(random);
    case Kind::kJwt: return Jwt(random);
    case Kind::kPhone: return "13" + RandomDigits(random, 9);
    case Kind::kUnreadable: return Unreadable(random);
    case Kind::kEmail: return absl::StrCat("wang.", RandomToken(6, "abcdefghij", random), "@huaxia-tech.cn");
    default: return kLatinKeyword;
  }
}

std::string AfterMany(const std::string& address) {
  std::string text;  // that the models take for what it is
  for (int i = 1; i <= 70; ++i) {
    absl::StrAppend(&text, "The shop in street number ", i, " answers at shop", i, "@huaxia-tech.cn on weekdays. ");
  }
  return absl::StrCat(text, address);
}

void Enlarge(CanaryRequest& made) {
  made.large = true;
  made.changed.clear();  // it is being read
  std::string text;
  while (text.size() <= kInspectAsideBytes) text += "In May the days are mild, and the trees by the river are green. ";
  v1::GenerateRequest& request = made.request;
  if (request.messages().empty()) {
    request.mutable_prompt()->insert(0, text);
    return;
  }
  request.add_messages()->set_role(v1::ROLE_USER);
  for (int i = request.messages_size() - 1; i > 0; --i) request.mutable_messages()->SwapElements(i, i - 1);
  request.mutable_messages(0)->set_content(std::move(text));
}

v1::GenerateRequest ChangedContent(const CanaryRequest& made) {
  v1::GenerateRequest content;
  content.add_messages()->set_role(v1::ROLE_USER);
  content.mutable_messages(0)->set_content(absl::StrCat(made.changed, " 11010519491231002X"));
  return content;
}

}  // namespace headgate::router
