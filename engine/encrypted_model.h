// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Encrypted model files: AES-256-GCM in segments, so that a loader can seek, decrypted in memory while it reads and
// never written to disk.
//
//   header  64 bytes: "HGMODEL1", segment bytes (u32), 0 (u32), plain bytes (u64), salt (16), key check (16), 0 (u64);
//           numbers little-endian
//   then    for each segment its ciphertext and a tag of 16 bytes
//
// The file's own key is HKDF-SHA256(master key, salt, "headgate model key"), so the nonce may be the segment's number:
// no key ever sees one twice. Header and segment number are authenticated with every segment: a changed, moved, missing
// or foreign one is noticed. The key check is HKDF with another label, and tells a wrong key from a damaged file.
//
// Thread-safety: plain functions; an EncryptedModel is for one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/digest.h"

namespace headgate::engine {

// 32 secret bytes, wiped at the end.
class ModelKey {
 public:
  using Bytes = std::array<uint8_t, 32>;
  explicit ModelKey(const Bytes& bytes) : bytes_(bytes) {}
  ModelKey(const ModelKey&) = default;
  ModelKey& operator=(const ModelKey&) = default;
  ~ModelKey();
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

// `file:PATH`, `env:NAME` or `command:PROGRAM ARGUMENTS` (a KMS or HSM hook, run by the shell, its output): 64
// hexadecimal digits, or for a file 32 raw bytes. Errors name the source, never what it held.
absl::StatusOr<ModelKey> LoadModelKey(const std::string& source);

// Does the file begin like one of ours?
bool IsEncryptedModel(const std::string& path);

// Writes `to`, which must not exist. `segment_bytes` 4 KiB..1 MiB.
absl::Status EncryptModel(const std::string& from, const std::string& to, const ModelKey& key,
                          const RandomBytes& random, uint32_t segment_bytes = 256 << 10);

class EncryptedModel {
 public:
  // NOT_FOUND, INVALID_ARGUMENT (not one of ours), PERMISSION_DENIED (another key) or DATA_LOSS (length).
  static absl::StatusOr<std::unique_ptr<EncryptedModel>> Open(const std::string& path, const ModelKey& key);
  ~EncryptedModel();

  int64_t size() const;  // of the plain text
  // Up to `to.size()` bytes from `offset`; less at the end. DATA_LOSS names the segment.
  absl::StatusOr<size_t> ReadAt(int64_t offset, absl::Span<uint8_t> to);
  // Reads and checks everything.
  absl::Status VerifyAll();
  // A stream over the plain text, for fclose; nullptr without memory. This object must outlive it. Reading fails with
  // EIO where ReadAt would fail; status() says why then.
  std::FILE* OpenStream();
  const absl::Status& status() const;

 private:
  struct State;
  explicit EncryptedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headgate::engine
