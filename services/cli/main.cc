// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate: the command line.
#include <CLI/CLI.hpp>
#include <iostream>

#include "common/hardening.h"
#include "services/cli/commands.h"
#include "services/command_line.h"

int main(int argc, char** argv) {
  using namespace headgate::services;
  headgate::ForbidCoreDumps();  // prompts pass through
  CLI::App app("Talks to a headgate-router, checks its audit log, prepares models.", "headgate");
  app.require_subcommand(0, 1);  // none is reported below: CLI11 would hide a misspelt one behind "required"
  app.set_version_flag("--version", "headgate 0.2.0-dev");
  app.footer("Run `headgate COMMAND --help` for a command's options.");
  int exit_code = 0;
  AddChatCommand(app, exit_code);
  AddExplainCommand(app, exit_code);
  AddClassifyCommand(app, exit_code);
  AddStateCommand(app, exit_code);
  AddDrainCommand(app, exit_code);
  AddDrillCommand(app, exit_code);
  AddAuditCommand(app, exit_code);
  AddReplayCommand(app, exit_code);
  AddTcoCommand(app, exit_code);
  AddBudgetCommand(app, exit_code);
  AddModelCommand(app, exit_code);
  AddDriftCommand(app, exit_code);
  AddDeletionCostCommand(app, exit_code);
  if (const auto wrong = ParseCommandLine(app, argc, argv)) return *wrong;
  if (app.get_subcommands().empty()) {
    std::cerr << "A subcommand is required.\n" << app.help();
    return kWrongUse;
  }
  return exit_code;
}
