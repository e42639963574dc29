// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Thread-safety: pure function.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace headgate::services {

inline constexpr int kWrongUse = 2;  // the exit code of every program whose flags are wrong

// Parses; the exit code when the program is to end, after help, version or what is wrong were printed. Of two mistakes
// the unknown argument is named first: CLI11 alone would ask for a required option, which may be just the misspelt one.
inline std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
    std::reverse(unknown.begin(), unknown.end());  // as ExtrasError wants them
    const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
    if (!unknown.empty() && (code == CLI::ExitCodes::RequiredError || code == CLI::ExitCodes::ExtrasError)) {
      app.exit(CLI::ExtrasError(app.get_name(), unknown));
    } else {
      app.exit(error);
    }
    return kWrongUse;
  }
}

}  // namespace headgate::services
