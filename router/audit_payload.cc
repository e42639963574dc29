// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit_payload.h"

#include <openssl/evp.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using nlohmann::json;

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kTextBytesMax = size_t{1} << 30;  // OpenSSL counts in int

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// No field can run into the next: each is preceded by its length.
std::string Authenticated(const PayloadName& name) {
  std::string out = "headgate payload 1";
  for (const std::string* part : {&name.chain_id, &name.request_id, &name.part}) {
    absl::StrAppend(&out, "|", part->size(), ":", *part);
  }
  return out;
}

}  // namespace

std::string PayloadChainKey(const std::string& key, const std::string& chain_id) {
  return HmacSha256(key, absl::StrCat("headgate payload chain ", chain_id));
}

absl::StatusOr<std::string> SealPayload(const std::string& chain_key, const PayloadName& name, std::string_view text,
                                        const RandomBytes& random) {
  if (chain_key.size() != kPayloadKeyBytes) return absl::InvalidArgumentError("the payload key must have 32 bytes");
  if (text.size() > kTextBytesMax) return absl::InvalidArgumentError("the payload is too large");
  const Context context(EVP_CIPHER_CTX_new());
  const std::string nonce = random(kNonceBytes);
  const std::string bound = Authenticated(name);
  std::string sealed(text.size(), '\0');
  std::string tag(kTagBytes, '\0');
  int n = 0;
  const bool good =
      context != nullptr && nonce.size() == kNonceBytes &&
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(chain_key), Bytes(nonce)) == 1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &n, Bytes(bound), static_cast<int>(bound.size())) == 1 &&
      EVP_EncryptUpdate(context.get(), Bytes(sealed), &n, Bytes(text), static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), Bytes(sealed) + n, &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1;
  if (!good) return absl::InternalError("AES-256-GCM failed");
  const json line = {{"chain_id", name.chain_id},
                     {"request_id", name.request_id},
                     {"part", name.part},
                     {"data", std::string(absl::Base64Escape(nonce + sealed + tag))}};
  return line.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

absl::StatusOr<PayloadName> ReadPayloadName(std::string_view line) {
  // Four texts and nothing nested: the parser need not recurse.
  if (line.find_first_of("[{", 1) != std::string_view::npos) return absl::DataLossError("not a payload line");
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::DataLossError("not a payload line");
  PayloadName name;
  for (const auto& [key, out] : {std::pair("chain_id", &name.chain_id), std::pair("request_id", &name.request_id),
                                 std::pair("part", &name.part)}) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return absl::DataLossError("not a payload line");
    *out = found->get<std::string>();
  }
  return name;
}

absl::StatusOr<Payload> OpenPayload(const std::string& key, std::string_view line) {
  auto name = ReadPayloadName(line);
  if (!name.ok()) return name.status();
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto data = object.find("data");
  std::string bytes;
  if (data == object.end() || !data->is_string() || !absl::Base64Unescape(data->get<std::string>(), &bytes) ||
      bytes.size() < kNonceBytes + kTagBytes) {
    return absl::DataLossError("not a payload line");
  }
  if (bytes.size() > kTextBytesMax) return absl::DataLossError("a payload that is too large");
  const std::string chain_key = PayloadChainKey(key, name->chain_id);
  const std::string bound = Authenticated(*name);
  const std::string_view sealed =
      std::string_view(bytes).substr(kNonceBytes, bytes.size() - kNonceBytes - kTagBytes);
  std::string tag = bytes.substr(bytes.size() - kTagBytes);
  std::string text(sealed.size(), '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int n = 0;
  const bool good =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(chain_key), Bytes(bytes)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &n, Bytes(bound), static_cast<int>(bound.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), Bytes(text), &n, Bytes(sealed), static_cast<int>(sealed.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), Bytes(text) + n, &n) == 1;
  if (!good) return absl::DataLossError("changed, or sealed with another key");
  return Payload{*std::move(name), std::move(text)};
}

}  // namespace headgate::router
