// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The command line of headgate-engine.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/tls.h"
#include "engine/backend/llama.h"

namespace headgate::services {

enum class ManifestCheck { kRequired, kIfPresent, kOff };

struct EngineFlags {
  std::string model;               // GGUF file, or a manifest with copies: watched
  bool reference = false;          // the toy model instead
  std::string model_name;          // served name; empty = the manifest's or the file's own
  std::string listen = "127.0.0.1:50051";
  std::string admin = "127.0.0.1:50052";
  std::string metrics = "127.0.0.1:50053";
  int32_t context_tokens = 8192;   // KV cells shared by all sequences
  int32_t parallel = 32;           // sequences at a time
  int32_t threads = 0;             // 0 = the cores of this process
  int32_t gpu_layers = 0;          // CUDA builds only
  int32_t queue_max = 256;
  int32_t step_prefill_tokens = 512;
  absl::Duration step_target = absl::Milliseconds(150);
  int32_t batch_rank_rows = 0;
  int32_t prefix_cache_tokens = -1;
  int32_t prefix_cache_entries = 32;
  bool share_between_tenants = false;
  int32_t swap_mb = 256;           // host memory for the state of preempted answers
  engine::KvType kv_type = engine::KvType::kF16;
  std::string adapters;            // folder of NAME.gguf: watched
  std::string warm_up_prompts;     // JSON lines
  absl::Duration watch = absl::Seconds(1);  // between two looks at manifest and adapters
  ManifestCheck manifest = ManifestCheck::kIfPresent;
  std::string model_key;           // of an encrypted model: file:PATH, env:NAME or command:PROGRAM
  std::string encrypt_to;          // write --model there, encrypted, and end
  bool write_manifest = false;     // write it and end
  absl::Duration drain = absl::Seconds(30);
  absl::Duration step_age_max = absl::Seconds(30);  // a step older than this = not healthy
  TlsConfig tls;                   // all three listeners' gRPC ones
  bool reflection = false;         // development only
  absl::Duration reference_step;   // --reference: how long a step takes
};

// Parses; when the process should end now (help, version, a mistake) sets `*exit_code` (0 or 2) and has printed why.
EngineFlags ParseEngineFlags(int argc, const char* const* argv, std::optional<int>* exit_code);

}  // namespace headgate::services
