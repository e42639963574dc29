// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RouterWorld: a headgate-router process between a headgate-engine process (reference model) and the DeepSeek emulator
// (in the test's own process, so that what it saw can be asked). Everything on port 0, in a folder that goes with the
// test.
//
// Thread-safety: none.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "headgate/v1/router.grpc.pb.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/integration/process.h"
#include "tests/integration/router/http_client.h"

namespace headgate {

// The parts of router.yaml that tests vary; each is YAML text.
struct RouterYaml {
  std::string listen;                 // more lines of `listen`, two spaces in
  std::string limits = "  drain: 10s\n";
  std::string policy = "  cloud_qps_threshold: 100000\n";
  std::string endpoint;               // more lines of the engine's endpoint, six spaces in
  std::string cloud;                  // more lines of `cloud`
  std::string more;                   // more sections
  std::string tenants;                // the tenants file; empty = anonymous
  std::string audit = "";             // more lines of `audit`
};

// A valid resident ID of nobody, and what a chat request about it looks like.
constexpr char kResidentId[] = "11010519491231002X";
std::string ChatBody(const std::string& text, const std::string& more = "");

class RouterWorld : public ::testing::Test {
 protected:
  RouterWorld();
  ~RouterWorld() override;

  // Starts all three and waits until they listen and the router has heard from the engine.
  void StartAll(const RouterYaml& yaml = {}, std::vector<std::string> engine_arguments = {});
  void StartEmulator();
  void StartEngine(std::vector<std::string> arguments = {});
  // Writes router.yaml and starts the router; `environment` as in Process.
  void StartRouter(const RouterYaml& yaml, const std::vector<std::string>& environment = {});

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& text) const;  // the path
  std::string RouterYamlText(const RouterYaml& yaml) const;
  // The router's or engine's metric with these labels as in the text format; -1 when absent.
  double RouterMetric(const std::string& name) const;
  // Asks `true_now` again and again until it says so; a failure after 20 s.
  void WaitFor(const char* what, const std::function<bool()>& true_now) const;
  // Runs a program to its end.
  struct Ended {
    int code = -1;
    std::string out, err;
  };
  static Ended Run(const std::string& program, std::vector<std::string> arguments,
                   const std::vector<std::string>& environment = {});

  std::string http(const std::string& path) const { return scheme_ + "://" + http_ + path; }
  std::unique_ptr<v1::Inference::Stub> Inference() const;
  std::unique_ptr<v1::Router::Stub> Admin() const;
  v1::GetStateResponse State() const;
  // Waits until the engine computes nothing.
  void WaitForIdleEngine() const;
  // Prompts are short; the answer of the reference engine has this many tokens.
  v1::GenerateRequest Request(const std::string& text, int max_tokens = 8) const;

  std::string folder_;
  std::string scheme_ = "http";
  std::unique_ptr<DeepSeekEmulator> emulator_;
  std::unique_ptr<Process> engine_;
  std::unique_ptr<Process> router_;
  std::string engine_address_;
  std::string http_, grpc_, admin_, metrics_;
};

}  // namespace headgate
