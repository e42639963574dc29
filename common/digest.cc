// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/digest.h"

// SHA256_Init and its companions are not the way that OpenSSL 3 recommends.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include "absl/strings/escaping.h"

namespace headgate {

namespace {

// The plain functions: what EVP does beside hashing costs more than hashing a short text, and ten are hashed a request.
// Without a digest nothing can be shown to be what was classified, so failure ends the process.
std::string Digest(std::string_view first, std::string_view second) {
  SHA256_CTX context;
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  if (SHA256_Init(&context) != 1 || SHA256_Update(&context, first.data(), first.size()) != 1 ||
      SHA256_Update(&context, second.data(), second.size()) != 1 ||
      SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), &context) != 1) {
    std::abort();
  }
  return out;
}

// Most random texts are short ids, and asking OpenSSL takes longer than filling them: a thread asks for many at once.
constexpr size_t kRandomAhead = 1 << 10;
constexpr size_t kRandomShort = 16;  // longer ones are keys

void FillRandom(std::string& out) {
  // Without randomness no key, id or nonce is safe: nothing sensible is left to do.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) != 1) std::abort();
}

std::string TakeRandom(size_t n) {
  static thread_local std::string ahead;
  if (ahead.size() < n) {
    ahead.resize(kRandomAhead);
    FillRandom(ahead);
  }
  std::string out = ahead.substr(ahead.size() - n);
  OPENSSL_cleanse(ahead.data() + ahead.size() - n, n);  // nobody gets it again, nor finds it
  ahead.resize(ahead.size() - n);
  return out;
}

}  // namespace

std::string Sha256(std::string_view bytes) { return Digest(bytes, ""); }

// RFC 2104.
std::string HmacSha256(std::string_view key, std::string_view bytes) {
  std::array<char, SHA256_CBLOCK> inner{}, outer{};
  if (key.size() > inner.size()) {
    const std::string shorter = Digest(key, "");
    std::copy(shorter.begin(), shorter.end(), inner.begin());
  } else {
    std::copy(key.begin(), key.end(), inner.begin());
  }
  for (size_t i = 0; i < inner.size(); ++i) {
    outer[i] = static_cast<char>(inner[i] ^ 0x5c);
    inner[i] = static_cast<char>(inner[i] ^ 0x36);
  }
  std::string out = Digest({outer.data(), outer.size()}, Digest({inner.data(), inner.size()}, bytes));
  for (auto* secret : {&inner, &outer}) OPENSSL_cleanse(secret->data(), secret->size());
  return out;
}

std::string Hex(std::string_view bytes) { return absl::BytesToHexString({bytes.data(), bytes.size()}); }

bool EqualConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

RandomBytes SystemRandom() {
  return [](size_t n) {
    if (n <= kRandomShort) return TakeRandom(n);
    std::string out(n, '\0');
    FillRandom(out);
    return out;
  };
}

RandomBytes SeededRandom(uint64_t seed) {
  auto engine = std::make_shared<std::mt19937_64>(seed);
  return [engine](size_t n) {
    std::string out(n, '\0');
    for (char& c : out) c = static_cast<char>((*engine)() >> 24);
    return out;
  };
}

double RandomUnit(const RandomBytes& random) {
  const std::string bytes = random(8);
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return static_cast<double>(value >> 11) * 0x1.0p-53;
}

}  // namespace headgate
