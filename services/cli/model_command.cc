// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// `headgate model`: files of models, before an engine serves them. No engine is asked.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "engine/backend/model_tools.h"
#include "engine/encrypted_model.h"
#include "engine/model_store.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

struct ModelOptions {
  engine::Pipeline pipeline;  // from, to, type, threads serve the other commands too
  std::string key;
  std::string text_file;
  std::string name;
  bool no_evaluation = false;
};

absl::StatusOr<std::string> Text(const std::string& file) {
  if (file.empty()) return engine::EvaluationText();
  std::ifstream in(file, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  constexpr std::streamsize kTextBytesMax = 1 << 20;
  std::string text(kTextBytesMax, '\0');
  in.read(text.data(), kTextBytesMax);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

void PrintHead() {
  std::cout << absl::StrFormat("%-8s %12s %11s %15s %14s\n", "", "bytes", "perplexity", "prefill_token_s",
                               "decode_token_s");
}

void PrintRow(const char* label, const engine::ModelFigures& figures) {
  std::cout << absl::StrFormat("%-8s %12d %11.4f %15.1f %14.1f\n", label, figures.bytes, figures.perplexity,
                               figures.prefill_tokens_per_second, figures.decode_tokens_per_second);
}

void PrintChange(const engine::ModelFigures& before, const engine::ModelFigures& after) {
  PrintHead();
  PrintRow("before", before);
  PrintRow("after", after);
  const auto percent = [](double from, double to) { return 100 * (to / from - 1); };
  std::cout << absl::StrFormat("change   %+11.1f%% %+10.2f%% %+14.1f%% %+13.1f%%\n",
                               percent(static_cast<double>(before.bytes), static_cast<double>(after.bytes)),
                               percent(before.perplexity, after.perplexity),
                               percent(before.prefill_tokens_per_second, after.prefill_tokens_per_second),
                               percent(before.decode_tokens_per_second, after.decode_tokens_per_second));
}

absl::Status Quantize(const ModelOptions& options) {
  const engine::Pipeline& job = options.pipeline;
  ASSIGN_OR_RETURN(const std::string text, Text(options.text_file));
  RETURN_IF_ERROR(engine::QuantizeModel(job.from, job.to, job.type, job.threads));
  if (options.no_evaluation) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto before, engine::EvaluateModel(job.from, "", text, job.threads));
  ASSIGN_OR_RETURN(const auto after, engine::EvaluateModel(job.to, "", text, job.threads));
  PrintChange(before, after);
  return absl::OkStatus();
}

absl::Status RunPipelineCommand(const ModelOptions& options) {
  engine::Pipeline job = options.pipeline;
  job.name = options.name;
  ASSIGN_OR_RETURN(job.text, Text(options.text_file));
  engine::PipelineFigures figures;
  const absl::Status status = engine::RunPipeline(job, figures);
  if (figures.after.tokens > 0) {
    std::cout << job.from << (figures.verified ? ": good\n" : ": has no manifest, so it was not verified\n");
  }
  if (figures.after.tokens > 0) PrintChange(figures.before, figures.after);
  RETURN_IF_ERROR(status);
  std::cout << "promoted " << job.to << " in " << job.served << "\n";
  return absl::OkStatus();
}

absl::Status Evaluate(const ModelOptions& options) {
  ASSIGN_OR_RETURN(const std::string text, Text(options.text_file));
  ASSIGN_OR_RETURN(const auto figures,
                   engine::EvaluateModel(options.pipeline.from, options.key, text, options.pipeline.threads));
  PrintHead();
  PrintRow("", figures);
  return absl::OkStatus();
}

// The digest of the file and, for an encrypted one with its key, each segment.
absl::Status VerifyFile(const std::string& file, const engine::ModelManifest* manifest, const std::string& key) {
  if (manifest != nullptr) RETURN_IF_ERROR(engine::VerifyModel(file, *manifest));
  std::string what = manifest == nullptr ? "no manifest" : manifest->sha256.empty() ? "MD5" : "SHA-256";
  if (engine::IsEncryptedModel(file) && !key.empty()) {
    ASSIGN_OR_RETURN(const auto model_key, engine::LoadModelKey(key));
    ASSIGN_OR_RETURN(const auto encrypted, engine::EncryptedModel::Open(file, model_key));
    RETURN_IF_ERROR(encrypted->VerifyAll());
    what += ", key, every segment";
  } else if (manifest == nullptr) {
    return absl::NotFoundError(absl::StrCat(file, ": has no manifest; make one with --write-manifest"));
  }
  std::cout << file << ": good (" << what << ")\n";
  return absl::OkStatus();
}

absl::Status Verify(const ModelOptions& options) {
  const std::string& file = options.pipeline.from;
  if (!engine::IsManifestPath(file)) {
    ASSIGN_OR_RETURN(const auto manifest, engine::ReadManifest(file));
    return VerifyFile(file, manifest ? &*manifest : nullptr, options.key);
  }
  ASSIGN_OR_RETURN(const auto manifest, engine::ReadServedManifest(file));
  absl::Status worst;
  for (const std::string& copy : manifest.copies) {
    const absl::Status status = VerifyFile(copy, &manifest, options.key);
    if (!status.ok()) std::cerr << "headgate: " << status.message() << "\n";
    worst.Update(status);
  }
  return worst;
}

absl::Status Encrypt(const ModelOptions& options) {
  const engine::Pipeline& job = options.pipeline;
  ASSIGN_OR_RETURN(const auto key, engine::LoadModelKey(options.key));
  RETURN_IF_ERROR(engine::EncryptModel(job.from, job.to, key, SystemRandom()));
  ASSIGN_OR_RETURN(const auto manifest, engine::ReadManifest(job.from));
  return engine::WriteManifest(job.to, !options.name.empty() ? options.name : manifest ? manifest->name : "");
}

absl::Status Inspect(const ModelOptions& options) {
  ASSIGN_OR_RETURN(const auto facts, engine::InspectModel(options.pipeline.from, options.key));
  std::cout << "bytes " << facts.bytes << "\nencrypted " << (facts.encrypted ? "yes" : "no") << "\ntensors "
            << facts.tensors << "\n";
  for (const auto& [key, value] : facts.metadata) std::cout << key << " " << value << "\n";
  return absl::OkStatus();
}

absl::Status PromoteFiles(const ModelOptions& options) {
  std::vector<std::string> files = {options.pipeline.from};
  files.insert(files.end(), options.pipeline.copies.begin(), options.pipeline.copies.end());
  return engine::Promote(options.pipeline.served, options.name, files);
}

using Options = std::shared_ptr<ModelOptions>;

CLI::App* Add(CLI::App& parent, const Options& options, int& exit_code, const char* name, const char* what,
              absl::Status (*run)(const ModelOptions&)) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("file", options->pipeline.from, "Model file, or where it says so a served manifest")->required();
  command->callback([options, &exit_code, run] {
    const absl::Status status = run(*options);
    exit_code = status.ok() ? 0 : Fail(status);
  });
  return command;
}

void AddKey(CLI::App& command, ModelOptions& options) {
  command.add_option("--model-key", options.key,
                     "Of an encrypted model: file:PATH, env:NAME or command:PROGRAM (KMS, HSM)");
}

void AddMeasuring(CLI::App& command, ModelOptions& options) {
  command.add_option("--text", options.text_file, "Text for the perplexity; default: a fixed one of ours");
  command.add_option("--threads", options.pipeline.threads, "0 = the cores of this process")
      ->check(CLI::Range(0, 1024));
}

void AddQuantizing(CLI::App& command, ModelOptions& options) {
  command.add_option("--to", options.pipeline.to, "File to write; must not exist")->required();
  command.add_option("--type", options.pipeline.type, "Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0, F16, ...")->required();
  AddMeasuring(command, options);
}

void AddGate(CLI::App& command, engine::ModelGate& gate) {
  command.add_option("--perplexity-rise-max", gate.perplexity_rise_max, "Gate: 0.05 = at most 5 % more perplexity")
      ->capture_default_str();
  command.add_option("--size-ratio-max", gate.size_ratio_max, "Gate: of the bytes before")->capture_default_str();
  command.add_option("--decode-ratio-min", gate.decode_ratio_min, "Gate: of the tokens/s before; 0 = any")
      ->capture_default_str();
}

}  // namespace

void AddModelCommand(CLI::App& app, int& exit_code) {
  CLI::App* model = app.add_subcommand("model", "Model files: quantise, verify, encrypt, inspect, promote");
  model->require_subcommand(1);
  const auto options = std::make_shared<ModelOptions>();
  const auto add = [&](const char* name, const char* what, absl::Status (*run)(const ModelOptions&)) {
    return Add(*model, options, exit_code, name, what, run);
  };
  CLI::App* quantize = add("quantize", "Write a smaller file; says size, speed and perplexity of both", Quantize);
  AddQuantizing(*quantize, *options);
  quantize->add_flag("--no-evaluation", options->no_evaluation, "Write the file only");

  AddKey(*add("verify", "Check a file against its manifest, or every copy that a served manifest names", Verify),
         *options);
  CLI::App* encrypt = add("encrypt", "Write an encrypted copy and its manifest", Encrypt);
  encrypt->add_option("--to", options->pipeline.to, "File to write; must not exist")->required();
  encrypt->add_option("--name", options->name, "Served model name; default: of the file's manifest");
  AddKey(*encrypt, *options);
  encrypt->get_option("--model-key")->required();
  AddKey(*add("inspect", "What the file says of itself", Inspect), *options);
  CLI::App* evaluate = add("evaluate", "Size, speed and perplexity", Evaluate);
  AddKey(*evaluate, *options);
  AddMeasuring(*evaluate, *options);

  CLI::App* promote = add("promote", "Make a served manifest name this file", PromoteFiles);
  CLI::App* pipeline = add("pipeline", "verify, quantise, evaluate against a gate, promote; refused where one fails",
                           RunPipelineCommand);
  AddQuantizing(*pipeline, *options);
  AddGate(*pipeline, options->pipeline.gate);
  for (CLI::App* command : {promote, pipeline}) {
    command->add_option("--served", options->pipeline.served, "Served manifest (.json) to replace")->required();
    command->add_option("--name", options->name, "Served model name");
  }
  promote->add_option("--copy", options->pipeline.copies, "A further file of the same content; may be repeated");
  pipeline->add_option("--copy-to", options->pipeline.copies, "A folder that gets a copy; may be repeated");
}

}  // namespace headgate::services
