// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The subcommands of `headgate`. Each adds itself to the app and sets `exit_code` when it has run.
//
// Thread-safety: none.
#pragma once

namespace CLI {
class App;
}

namespace headgate::services {

void AddChatCommand(CLI::App& app, int& exit_code);
void AddExplainCommand(CLI::App& app, int& exit_code);
void AddStateCommand(CLI::App& app, int& exit_code);
void AddDrainCommand(CLI::App& app, int& exit_code);
void AddDrillCommand(CLI::App& app, int& exit_code);
void AddAuditCommand(CLI::App& app, int& exit_code);
void AddClassifyCommand(CLI::App& app, int& exit_code);
void AddReplayCommand(CLI::App& app, int& exit_code);
void AddTcoCommand(CLI::App& app, int& exit_code);
void AddBudgetCommand(CLI::App& app, int& exit_code);
void AddModelCommand(CLI::App& app, int& exit_code);
void AddDeletionCostCommand(CLI::App& app, int& exit_code);
void AddDriftCommand(CLI::App& app, int& exit_code);

}  // namespace headgate::services
