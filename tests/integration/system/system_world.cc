// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/system/system_world.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace headgate {

void SystemWorld::StartEngineAt(const std::string& address, std::vector<std::string> arguments) {
  for (const std::string& argument : {absl::StrCat("--listen=", address), std::string("--admin=127.0.0.1:0"),
                                      std::string("--metrics=127.0.0.1:0")}) {
    arguments.push_back(argument);
  }
  auto engine = Process::Start(BinaryPath("headgate-engine"), std::move(arguments));
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  auto addresses = engine_->WaitListening();
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  engine_address_ = (*addresses)["grpc"];
  engine_metrics_ = (*addresses)["metrics"];
}

void SystemWorld::StartSystem(const RouterYaml& yaml, std::vector<std::string> engine_arguments) {
  ASSERT_NO_FATAL_FAILURE(StartEmulator());
  ASSERT_NO_FATAL_FAILURE(StartEngineAt("127.0.0.1:0", std::move(engine_arguments)));
  ASSERT_NO_FATAL_FAILURE(StartRouter(yaml));
  WaitForEngine();
}

void SystemWorld::WaitForEngine() const {
  WaitFor("an engine that is ready", [this] {
    const auto state = State();
    return state.endpoints_size() == 1 && state.endpoints(0).ready();
  });
}

double SystemWorld::EngineMetric(const std::string& name) const {
  const HttpResult text = Get("http://" + engine_metrics_ + "/metrics");
  double sum = 0;
  bool found = false;
  for (absl::string_view line : absl::StrSplit(text.body, '\n')) {
    if (!absl::ConsumePrefix(&line, name) || line.empty() || (line[0] != '{' && line[0] != ' ')) continue;
    double value = 0;
    found = absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value) || found;
    sum += value;
  }
  return found ? sum : -1;
}

void SystemWorld::WaitForRest() const {
  WaitForIdleEngine();
  WaitFor("no request in the engine's metrics", [this] { return EngineMetric("vllm:num_requests_running") == 0; });
  WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
  WaitFor("no HTTP connection", [this] { return RouterMetric("headgate_router_http_connections") == 0; });
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == 0; }));
}

ProcessUse SystemWorld::Use(const Process& process) const {
  ProcessUse use;
  const std::string folder = absl::StrCat("/proc/", process.pid());
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    double kib = 0;
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "VmRSS:") && absl::ConsumeSuffix(&rest, "kB") && absl::SimpleAtod(rest, &kib)) {
      use.rss_mib = kib / 1024;
    }
  }
  std::ifstream stat(folder + "/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  // After the name in parentheses; fields 14 and 15 are user and system time.
  const std::vector<std::string> fields = absl::StrSplit(text.substr(text.rfind(')') + 1), ' ', absl::SkipEmpty());
  double user = 0, system = 0;
  EXPECT_TRUE(fields.size() > 12 && absl::SimpleAtod(fields[11], &user) && absl::SimpleAtod(fields[12], &system));
  use.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::error_code error;
  const std::filesystem::directory_iterator files(folder + "/fd", error);
  if (!error) use.open_files = static_cast<int>(std::distance(begin(files), end(files)));
  return use;
}

}  // namespace headgate
