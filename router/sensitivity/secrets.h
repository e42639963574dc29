// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Secrets: provider keys, private keys and web tokens, checked around the place where their prefix was found. Each
// check looks at a bounded number of bytes.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/sensitivity/validators.h"

namespace headgate::router {

// A provider's key: its prefix and what follows at least.
struct KeyPrefix {
  const char* prefix;  // no characters special to a pattern except '.'
  const char* body;    // character class of the body, for example [A-Za-z0-9]
  int body_bytes_min;
};
const std::vector<KeyPrefix>& KeyPrefixes();

// The key whose prefix begins at `begin` and is `prefix_bytes` long, to its last character. Placeholders (YOUR_API_KEY,
// all x, EXAMPLE) and words joined by hyphens are not keys. A few letters may be glued to one whose body looks random.
std::optional<TextRange> ApiKeyAt(std::string_view text, size_t begin, size_t prefix_bytes);
// The private key whose PEM header line ends at `end` (just after `PRIVATE KEY-----`); a header without a body is only
// talk.
std::optional<TextRange> PrivateKeyAt(std::string_view text, size_t end);
// The token that begins with `eyJ` at `begin`: three base64url parts, the first is JSON with "alg".
std::optional<TextRange> JwtAt(std::string_view text, size_t begin);

// A generated token: many different characters, of more than one kind, no placeholder, no words joined by hyphens.
bool LooksGenerated(std::string_view body);
// What follows a provider's prefix is no word, name or number: for keys in pieces or glued to letters.
bool LooksRandomBehind(std::string_view prefix, std::string_view body);
// `disk-`, `task-`, `kiosk-`: the prefix is the end of a word, and what follows the number or the hash of one.
bool EndsWord(std::string_view before, std::string_view prefix);
// What stands after `password=` could be one: no placeholder, variable, type or function call. Without quotes, a word
// of letters only is taken for prose.
bool LooksLikePassword(std::string_view value, bool quoted);
// A UUID or a hash in hex: names things and is no secret by itself.
bool IsUuidOrHash(std::string_view value);

// Letters, digits and, unless prose has just said that a value follows (`said`), a sign between them: `Chang3Me!Oct`.
bool IsPasswordShaped(std::string_view value, bool said);

// Bytes of `text` in base64 or base64url, with or without padding; nothing when it is neither.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace headgate::router
