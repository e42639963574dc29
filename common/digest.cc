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
#include <utility>

#include "absl/strings/escaping.h"

namespace headgate {

namespace {

// The plain functions: what EVP does beside hashing costs more than hashing a short text, and ten are hashed a request.
// Without a digest nothing can be shown to be what was classified, so failure ends the process.
std::string Finish(SHA256_CTX context, std::string_view bytes) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  if (SHA256_Update(&context, bytes.data(), bytes.size()) != 1 ||
      SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), &context) != 1) {
    std::abort();
  }
  return out;
}
std::string Digest(std::string_view bytes) {
  SHA256_CTX context;
  if (SHA256_Init(&context) != 1) std::abort();
  return Finish(context, bytes);
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

std::string Sha256(std::string_view bytes) { return Digest(bytes); }

namespace {

// A key that has been read: where both digests of RFC 2104 go on. Reading one takes as long as a short text.
struct HmacKey {
  std::string key;
  SHA256_CTX inner, outer;
  ~HmacKey() {
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(&inner, sizeof(inner));
    OPENSSL_cleanse(&outer, sizeof(outer));
  }
};

std::unique_ptr<HmacKey> ReadKey(std::string_view key) {
  auto read = std::make_unique<HmacKey>();
  read->key = key;
  std::array<char, SHA256_CBLOCK> block{};
  const std::string shorter = key.size() > block.size() ? Digest(key) : std::string(key);
  std::copy(shorter.begin(), shorter.end(), block.begin());
  for (const auto& [context, pad] : {std::pair(&read->inner, 0x36), std::pair(&read->outer, 0x36 ^ 0x5c)}) {
    for (char& c : block) c = static_cast<char>(c ^ pad);  // the second takes the first away again
    if (SHA256_Init(context) != 1 || SHA256_Update(context, block.data(), block.size()) != 1) std::abort();
  }
  OPENSSL_cleanse(block.data(), block.size());
  return read;
}

// A thread uses few keys, again and again.
const HmacKey& KeyFor(std::string_view key) {
  static thread_local std::array<std::unique_ptr<HmacKey>, 4> recent;
  static thread_local size_t next = 0;
  for (const auto& one : recent) {
    if (one != nullptr && one->key == key) return *one;  // all are ours: nobody else's guess is compared here
  }
  return *(recent[next++ % recent.size()] = ReadKey(key));
}

}  // namespace

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  const HmacKey& read = KeyFor(key);
  return Finish(read.outer, Finish(read.inner, bytes));
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
