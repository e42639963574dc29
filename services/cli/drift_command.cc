// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// `headgate drift`: does an engine still answer as it did? A fixed probe set, asked of the engine itself (the router
// offers no log-probabilities), against a stored baseline.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/drift.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

constexpr int kDrifted = 3;
constexpr std::streamsize kFileBytesMax = 1 << 20;

struct DriftOptions {
  RouterConnection engine;
  std::string baseline;
  std::string probes;
  bool recalibrate = false;
  double timeout_seconds = 120;  // of one probe
  DriftLimits limits;
};

absl::Status Problem(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

absl::StatusOr<std::string> ReadText(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(file, ": cannot be read"));
  std::string text(kFileBytesMax, '\0');
  in.read(text.data(), kFileBytesMax);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

absl::StatusOr<ProbeAnswer> AskProbe(v1::Inference::Stub& stub, const DriftOptions& options,
                                     const std::string& question) {
  grpc::ClientContext context;
  options.engine.Prepare(context, absl::Seconds(options.timeout_seconds));
  v1::GenerateResponse response;
  const grpc::Status status = stub.Generate(&context, ProbeRequest(question), &response);
  if (!status.ok()) return Problem(status);
  return ReadProbeAnswer(response);
}

absl::StatusOr<DriftFigures> Measure(const DriftOptions& options) {
  std::vector<std::string> probes = DriftProbes();
  if (!options.probes.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadText(options.probes));
    probes = ProbesOf(text);
    if (probes.empty()) return absl::InvalidArgumentError(absl::StrCat(options.probes, ": holds no probe"));
  }
  ASSIGN_OR_RETURN(const auto channel, options.engine.Connect());
  const auto stub = v1::Inference::NewStub(channel);
  std::vector<ProbeAnswer> answers;
  for (const std::string& probe : probes) {
    ASSIGN_OR_RETURN(auto answer, AskProbe(*stub, options, probe));
    answers.push_back(std::move(answer));
  }
  grpc::ClientContext context;
  options.engine.Prepare(context, absl::Seconds(options.timeout_seconds));
  v1::ListModelsResponse models;
  const grpc::Status status = stub->ListModels(&context, {}, &models);
  if (!status.ok()) return Problem(status);
  return FiguresOf(models.models_size() > 0 ? models.models(0).id() : "", probes, answers);
}

absl::Status WriteBaseline(const std::string& file, const DriftFigures& figures) {
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << BaselineJson(figures) << "\n";
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, file, error);
  if (!out || error) return absl::UnavailableError(absl::StrCat(file, ": cannot be written"));
  return absl::OkStatus();
}

absl::StatusOr<int> RunDrift(const DriftOptions& options) {
  std::error_code error;
  const bool known = std::filesystem::exists(options.baseline, error);
  DriftFigures before;
  if (known && !options.recalibrate) {  // before the engine is asked: a bad file is told at once
    ASSIGN_OR_RETURN(const std::string text, ReadText(options.baseline));
    ASSIGN_OR_RETURN(before, ParseBaseline(text, options.baseline));
  }
  ASSIGN_OR_RETURN(const DriftFigures now, Measure(options));
  std::cout << absl::StrFormat("%-8s %14s %14s %13s  %s\n", "", "mean_logprob", "answer_tokens", "refusal_rate",
                               "model");
  const auto print = [](const char* label, const DriftFigures& figures) {
    std::cout << absl::StrFormat("%-8s %14.4f %14.2f %13.3f  %s\n", label, figures.mean_logprob, figures.answer_tokens,
                                 figures.refusal_rate, figures.model);
  };
  if (!known || options.recalibrate) {
    print("now", now);
    RETURN_IF_ERROR(WriteBaseline(options.baseline, now));
    std::cout << "baseline written to " << options.baseline << "\n";
    return 0;
  }
  print("before", before);
  print("now", now);
  const std::vector<std::string> drifts = CompareDrift(options.limits, before, now);
  for (const std::string& drift : drifts) std::cout << "drift: " << drift << "\n";
  if (drifts.empty()) std::cout << "no drift\n";
  return drifts.empty() ? 0 : kDrifted;
}

}  // namespace

void AddDriftCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "drift", "Ask an engine a fixed set of questions and compare with a baseline; exit code 3 when it drifted");
  const auto options = std::make_shared<DriftOptions>();
  options->engine.AddOptions(*command, "127.0.0.1:50051", "--engine");
  command->add_option("--baseline", options->baseline, "File of the baseline; written when it is not there")
      ->required();
  command->add_flag("--recalibrate", options->recalibrate, "Make what is measured now the baseline");
  command->add_option("--probes", options->probes, "Questions of your own, one a line");
  command->add_option("--timeout", options->timeout_seconds, "Seconds for one question")->check(CLI::Range(1, 3600));
  command->add_option("--logprob-change-max", options->limits.logprob_change_max, "Nats")->capture_default_str();
  command->add_option("--length-change-max", options->limits.length_change_max, "0.25 = 25 %")->capture_default_str();
  command->add_option("--refusal-change-max", options->limits.refusal_change_max, "Of the rate, 0..1")
      ->capture_default_str();
  command->callback([options, &exit_code] {
    const auto run = RunDrift(*options);
    exit_code = run.ok() ? *run : Fail(run.status());
  });
}

}  // namespace headgate::services
