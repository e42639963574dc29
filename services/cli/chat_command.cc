// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

struct ChatOptions {
  RouterConnection router;
  std::vector<std::string> words;
  std::string system;
  std::string model;
  std::string sensitivity;
  int max_tokens = 0;
  double timeout_seconds = 600;
};

std::string RouteLine(const v1::Route& route) {
  return absl::StrCat("[", route.target() == v1::Route::TARGET_CLOUD ? "cloud" : "local", " ", route.endpoint(), " ",
                      route.model(), "; sensitivity ", std::string(SensitivityName(route.sensitivity())), "; ",
                      absl::StrJoin(route.reasons(), ", "), "; request ", route.request_id(), "]");
}

int Stream(const ChatOptions& options, const v1::GenerateRequest& request) {
  auto channel = options.router.Connect();
  if (!channel.ok()) return Fail(channel.status());
  const auto stub = v1::Inference::NewStub(*channel);
  grpc::ClientContext context;
  options.router.Prepare(context, absl::Seconds(options.timeout_seconds));
  const MonotonicTime start = RealTime().Monotonic();
  absl::Duration first = absl::InfiniteDuration();
  const auto reader = stub->GenerateStream(&context, request);
  v1::GenerateStreamResponse event;
  v1::Finish finish;
  while (reader->Read(&event)) {
    if (event.has_route()) std::cout << RouteLine(event.route()) << std::endl;
    if (event.has_delta()) {
      if (first == absl::InfiniteDuration()) first = RealTime().Monotonic() - start;
      std::cout << event.delta().reasoning_content() << event.delta().content() << std::flush;
    }
    if (event.has_finish()) finish = event.finish();
  }
  std::cout << std::endl;
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Fail(status);
  std::cout << "[" << finish.usage().prompt_tokens() << " + " << finish.usage().completion_tokens()
            << " tokens, first after " << absl::ToInt64Milliseconds(first) << " ms]" << std::endl;
  return 0;
}

int Chat(const ChatOptions& options) {
  v1::GenerateRequest request;
  request.set_model(options.model);
  if (options.max_tokens > 0) request.set_max_tokens(options.max_tokens);
  if (!options.sensitivity.empty()) {
    const auto level = ParseSensitivity(options.sensitivity);
    if (!level.ok()) return Fail(level.status());
    request.set_declared_sensitivity(*level);
  }
  if (!options.system.empty()) {
    v1::Message& message = *request.add_messages();
    message.set_role(v1::ROLE_SYSTEM);
    message.set_content(options.system);
  }
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(options.words.empty() ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                            : absl::StrJoin(options.words, " "));
  return Stream(options, request);
}

}  // namespace

void AddChatCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("chat", "Ask one question; prints where it went, then the answer as it comes");
  const auto options = std::make_shared<ChatOptions>();
  options->router.AddOptions(*command, "127.0.0.1:8081");
  command->add_option("text", options->words, "The question; without it, standard input");
  command->add_option("--system", options->system, "System message");
  command->add_option("--model", options->model, "Model name; empty = the default");
  command->add_option("--sensitivity", options->sensitivity, "Declare: public | internal | confidential | restricted");
  command->add_option("--max-tokens", options->max_tokens, "At most this many tokens")->check(CLI::Range(1, 393216));
  command->add_option("--timeout", options->timeout_seconds, "Seconds")->check(CLI::Range(0.1, 3600.0));
  command->callback([options, &exit_code] { exit_code = Chat(*options); });
}

}  // namespace headgate::services
