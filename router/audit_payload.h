// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The content of a request or an answer as one encrypted line, for sites that must keep it. AES-256-GCM with a random
// 96-bit nonce under a key of the chain's own; the chain, the request and the part are authenticated, so that a line
// cannot be passed off as another's. The audit record holds the SHA-256 of the line.
//   {"chain_id":..,"data":base64(nonce | ciphertext | tag),"part":"input","request_id":..}
//
// Thread-safety: functions from any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/digest.h"

namespace headgate::router {

inline constexpr size_t kPayloadKeyBytes = 32;

struct PayloadName {
  std::string chain_id;
  std::string request_id;
  std::string part;  // `input`, `output`
};

struct Payload {
  PayloadName name;
  std::string text;  // JSON of the request, or of the answer's message
};

// HMAC-SHA-256(key, chain): so that the number of nonces under one key has the bound of one process.
// REQUIRES: 32 bytes.
std::string PayloadChainKey(const std::string& key, const std::string& chain_id);

// INTERNAL: OpenSSL refuses. `chain_key` is PayloadChainKey's.
absl::StatusOr<std::string> SealPayload(const std::string& chain_key, const PayloadName& name, std::string_view text,
                                        const RandomBytes& random);

// What a line says about itself, unproved. DATA_LOSS: not a payload line.
absl::StatusOr<PayloadName> ReadPayloadName(std::string_view line);

// `key` is the site's payload key. DATA_LOSS: not a payload line, changed, or sealed with another key.
absl::StatusOr<Payload> OpenPayload(const std::string& key, std::string_view line);

}  // namespace headgate::router
