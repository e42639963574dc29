// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include "absl/strings/escaping.h"

namespace headgate {

namespace {

// OpenSSL's one-shot functions look the algorithm up, under locks, at every call: several microseconds. Here it is
// looked up once, and each thread keeps its context. Without a digest nothing can be shown to be what was classified,
// so failure ends the process.
class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || algorithm() == nullptr) std::abort();
  }
  ~Hasher() { EVP_MD_CTX_free(context_); }
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  std::string Digest(std::string_view first, std::string_view second) {
    std::string out(SHA256_DIGEST_LENGTH, '\0');
    if (EVP_DigestInit_ex2(context_, algorithm(), nullptr) != 1 ||
        EVP_DigestUpdate(context_, first.data(), first.size()) != 1 ||
        EVP_DigestUpdate(context_, second.data(), second.size()) != 1 ||
        EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1) {
      std::abort();
    }
    return out;
  }

 private:
  static const EVP_MD* algorithm() {
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return sha256;
  }
  EVP_MD_CTX* const context_;
};

Hasher& ThreadHasher() {
  static thread_local Hasher hasher;
  return hasher;
}

}  // namespace

std::string Sha256(std::string_view bytes) { return ThreadHasher().Digest(bytes, ""); }

// RFC 2104.
std::string HmacSha256(std::string_view key, std::string_view bytes) {
  Hasher& hasher = ThreadHasher();
  std::string block(key.size() > SHA256_CBLOCK ? hasher.Digest(key, "") : std::string(key));
  block.resize(SHA256_CBLOCK, '\0');
  const auto pad = [&block](char with) {
    std::string padded = block;
    for (char& c : padded) c = static_cast<char>(c ^ with);
    return padded;
  };
  std::string inner = pad(0x36), outer = pad(0x5c);
  std::string out = hasher.Digest(outer, hasher.Digest(inner, bytes));
  for (std::string* secret : {&block, &inner, &outer}) OPENSSL_cleanse(secret->data(), secret->size());
  return out;
}

std::string Hex(std::string_view bytes) { return absl::BytesToHexString({bytes.data(), bytes.size()}); }

bool EqualConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

RandomBytes SystemRandom() {
  return [](size_t n) {
    std::string out(n, '\0');
    // Without randomness no key, id or nonce is safe: nothing sensible is left to do.
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(n)) != 1) std::abort();
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
