// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Thread-safety: pure function.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace headgate::services {

// Parses; the exit code when the program is to end, after help, version or what is wrong were printed. Of two mistakes
// the unknown argument is named first: CLI11 alone would ask for a required option, which may be just the misspelt one.
inline std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
    return unknown.empty() ? app.exit(error) : app.exit(CLI::ExtrasError(app.get_name(), unknown));
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
}

}  // namespace headgate::services
