// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/flags.h"

#include <CLI/CLI.hpp>

#include <map>

#include "services/command_line.h"

namespace headgate::services {
namespace {

constexpr char kVersion[] = "headgate-engine 0.2.0-dev";

const std::map<std::string, ManifestCheck> kManifestChecks = {
    {"required", ManifestCheck::kRequired}, {"if-present", ManifestCheck::kIfPresent}, {"off", ManifestCheck::kOff}};

const std::map<std::string, engine::KvType> kKvTypes = {
    {"f16", engine::KvType::kF16}, {"q8_0", engine::KvType::kQ8}, {"q4_0", engine::KvType::kQ4}};

// What CLI11 cannot say. Empty = good.
std::string Complaint(const EngineFlags& flags) {
  if (flags.model.empty() == !flags.reference) return "give either --model FILE or --reference";
  if (flags.write_manifest && flags.reference) return "--write-manifest needs --model FILE";
  if (!flags.encrypt_to.empty() && (flags.model.empty() || flags.model_key.empty())) {
    return "--encrypt-to needs --model FILE and --model-key";
  }
  if (flags.reference_step > absl::ZeroDuration() && !flags.reference) return "--reference-step-ms needs --reference";
  if (flags.tls.certificate_file.empty() != flags.tls.key_file.empty()) return "--tls-cert and --tls-key go together";
  if (!flags.tls.ca_file.empty() && flags.tls.certificate_file.empty()) return "--tls-ca needs --tls-cert";
  return "";
}

void AddModelOptions(CLI::App& app, EngineFlags& flags) {
  app.add_option("--model", flags.model,
                 "GGUF file to serve, or a manifest (.json) that names copies of one and is watched for changes")
      ->check(CLI::ExistingFile);
  app.add_flag("--reference", flags.reference, "Serve the deterministic toy model (tests, demonstrations)");
  app.add_option("--model-name", flags.model_name, "Served model name; default: the manifest's, or the file's own");
  app.add_option("--manifest", flags.manifest, "Check the model's digest: required, if-present or off")
      ->transform(CLI::CheckedTransformer(kManifestChecks, CLI::ignore_case))
      ->default_str("if-present");
  app.add_option("--model-key", flags.model_key,
                 "Key of an encrypted model, 64 hex digits: file:PATH, env:NAME or command:PROGRAM (KMS, HSM)");
  app.add_option("--encrypt-to", flags.encrypt_to, "Write --model there, encrypted with --model-key, and end");
  app.add_flag("--write-manifest", flags.write_manifest, "Write FILE.manifest.json for --model and end");
  app.add_option("--context-tokens", flags.context_tokens, "KV cells, shared by all requests")
      ->check(CLI::Range(16, 1 << 24))
      ->capture_default_str();
  app.add_option("--parallel", flags.parallel, "Requests computed at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--kv-type", flags.kv_type, "KV cache: f16, or q8_0 (53 % of the memory) or q4_0 (28 %), less exact")
      ->transform(CLI::CheckedTransformer(kKvTypes, CLI::ignore_case))
      ->default_str("f16");
  app.add_option("--adapters", flags.adapters, "Folder of LoRA adapters NAME.gguf, watched for changes")
      ->check(CLI::ExistingDirectory);
  app.add_option("--warm-up-prompts", flags.warm_up_prompts,
                 "JSON lines {\"system\", \"tenant\", \"adapter\"}: cached before the engine is ready")
      ->check(CLI::ExistingFile);
  app.add_option("--threads", flags.threads, "Threads; 0 = the cores of this process")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--gpu-layers", flags.gpu_layers, "Layers on the GPU (CUDA builds only)")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  app.add_option("--queue-max", flags.queue_max, "Requests that may wait; more are refused")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

void AddSchedulingOptions(CLI::App& app, EngineFlags& flags, int& step_target_ms) {
  app.add_option("--step-prefill-tokens", flags.step_prefill_tokens, "Most prompt tokens in a step beside answers")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--step-target-ms", step_target_ms, "Gap between two tokens that prompts may cause; 0 = any")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  app.add_option("--batch-rows", flags.batch_rank_rows, "Most answers of batch priority in a step; 0 = all")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--prefix-cache-tokens", flags.prefix_cache_tokens,
                 "KV cells that keep prefixes; -1 = a quarter of all, 0 = none")
      ->check(CLI::Range(-1, 1 << 24))
      ->capture_default_str();
  app.add_option("--swap-mb", flags.swap_mb, "Host memory for the state of answers that gave way; 0 = computed again")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--prefix-cache-entries", flags.prefix_cache_entries, "Prefixes kept at a time; 0 = none")
      ->check(CLI::Range(0, 255))
      ->capture_default_str();
  app.add_flag("--share-between-tenants", flags.share_between_tenants,
               "Tenants use each other's cached prefixes; how fast an answer begins may then tell what others asked");
}

}  // namespace

EngineFlags ParseEngineFlags(int argc, const char* const* argv, std::optional<int>* exit_code) {
  EngineFlags flags;
  double drain_seconds = absl::ToDoubleSeconds(flags.drain);
  double step_age_seconds = absl::ToDoubleSeconds(flags.step_age_max);
  int reference_step_ms = 0;
  int watch_ms = static_cast<int>(absl::ToInt64Milliseconds(flags.watch));
  int step_target_ms = static_cast<int>(absl::ToInt64Milliseconds(flags.step_target));
  CLI::App app("Serves a GGUF model to many callers by gRPC (proto/headgate/v1).", "headgate-engine");
  app.set_version_flag("--version", kVersion);
  AddModelOptions(app, flags);
  AddSchedulingOptions(app, flags, step_target_ms);
  app.add_option("--listen", flags.listen, "IP:PORT of Inference and WatchLoad; port 0 = any")->capture_default_str();
  app.add_option("--admin", flags.admin, "IP:PORT of Drain")->capture_default_str();
  app.add_option("--metrics", flags.metrics, "IP:PORT of /metrics and /healthz (HTTP)")->capture_default_str();
  app.add_option("--drain-seconds", drain_seconds, "On SIGTERM, time for accepted requests to finish")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--step-age-max-seconds", step_age_seconds, "A step that takes longer turns health to NOT_SERVING")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--tls-cert", flags.tls.certificate_file, "Server certificate, PEM; turns TLS on");
  app.add_option("--tls-key", flags.tls.key_file, "Its key, PEM");
  app.add_option("--tls-ca", flags.tls.ca_file, "CA of client certificates, PEM: clients must present one");
  app.add_flag("--tls-allow-12", flags.tls.allow_tls12, "Accept TLS 1.2 too");
  app.add_flag("--reflection", flags.reflection, "gRPC reflection (development only)");
  app.add_option("--watch-ms", watch_ms, "Between two looks at a served manifest and the folder of adapters")
      ->check(CLI::Range(10, 3600000))
      ->capture_default_str();
  app.add_option("--reference-step-ms", reference_step_ms, "How long a step of --reference takes")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  *exit_code = ParseCommandLine(app, argc, argv);
  if (!*exit_code) {
    flags.drain = absl::Seconds(drain_seconds);
    flags.step_age_max = absl::Seconds(step_age_seconds);
    flags.step_target = absl::Milliseconds(step_target_ms);
    flags.reference_step = absl::Milliseconds(reference_step_ms);
    flags.watch = absl::Milliseconds(watch_ms);
    if (const std::string complaint = Complaint(flags); !complaint.empty()) {
      app.exit(CLI::ValidationError(complaint));
      *exit_code = kWrongUse;
    }
  }
  return flags;
}

}  // namespace headgate::services
