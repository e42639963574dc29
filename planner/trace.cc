// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/trace.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace headgate::planner {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 31;
constexpr double kGapNote = 3600;                // seconds without a request that are worth a note
constexpr double kFirstArrivalMax = 86400;       // replicas would be paid for all the time before
constexpr size_t kClientBytesMax = 256;

struct GzipClose {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// gzip reads plain files as they are.
absl::StatusOr<std::string> ReadMaybeGzip(const std::string& path) {
  if (!std::filesystem::exists(path)) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  if (std::filesystem::is_directory(path)) return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory"));
  const std::unique_ptr<gzFile_s, GzipClose> file(gzopen(path.c_str(), "rb"));
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  std::string text;
  std::string chunk(1 << 20, '\0');
  for (;;) {
    const int got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (got < 0) return absl::InvalidArgumentError(absl::StrCat(path, ": is damaged gzip data"));
    if (got == 0) break;
    text.append(chunk, 0, static_cast<size_t>(got));
    if (text.size() > kFileBytesMax) return absl::InvalidArgumentError(absl::StrCat(path, ": larger than 2 GiB"));
  }
  int error = Z_OK;
  gzerror(file.get(), &error);
  if (error != Z_OK && error != Z_STREAM_END) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is cut off gzip data"));
  }
  return text;
}

// Where the columns are; -1 = absent.
struct Columns {
  int arrival = -1, input = -1, output = -1, client = -1, prefix = -1, sensitive = -1;
  int count = 0;
};

// What stands in a file, fit for a terminal.
std::string Shown(std::string_view text) {
  return absl::CHexEscape(absl::string_view(text.data(), std::min<size_t>(text.size(), 40)));
}

class CsvReader {
 public:
  explicit CsvReader(std::string name) { trace_.name = std::move(name); }

  absl::StatusOr<Trace> Read(std::string_view text) {
    size_t line = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      std::string_view row = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line;
      if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
      if (row.empty() && text.empty()) break;
      const absl::Status status = line == 1 ? Header(row) : Row(row, line);
      if (!status.ok()) return status;
    }
    if (columns_.count == 0) return absl::InvalidArgumentError(absl::StrCat(trace_.name, ":1: the file is empty"));
    if (trace_.requests.empty()) return absl::InvalidArgumentError(absl::StrCat(trace_.name, ":2: holds no requests"));
    if (gaps_ > 0) {
      trace_.notes.push_back(absl::StrFormat(
          "%d gaps of more than an hour; the longest ends at line %d and takes %.0f s", gaps_, gap_line_, gap_));
    }
    return std::move(trace_);
  }

 private:
  absl::Status Wrong(size_t line, std::string_view column, const std::string& message) const {
    return absl::InvalidArgumentError(absl::StrCat(trace_.name, ":", line, ": ", std::string(column), ": ", message));
  }

  absl::Status Header(std::string_view row) {
    const std::pair<const char*, int*> known[] = {
        {"arrival_s", &columns_.arrival}, {"input_tokens", &columns_.input}, {"output_tokens", &columns_.output},
        {"client", &columns_.client},     {"prefix", &columns_.prefix},      {"sensitive", &columns_.sensitive}};
    for (const absl::string_view name : absl::StrSplit(absl::string_view(row.data(), row.size()), ',')) {
      const auto* column =
          std::find_if(std::begin(known), std::end(known), [&](const auto& k) { return name == k.first; });
      if (column == std::end(known)) {
        return Wrong(1, Shown(std::string_view(name.data(), name.size())),
                     "unknown column; known: arrival_s, input_tokens, output_tokens, client, prefix, sensitive");
      }
      if (*column->second >= 0) return Wrong(1, std::string(name), "is there twice");
      *column->second = columns_.count++;
    }
    for (int i = 0; i < 3; ++i) {
      if (*known[i].second < 0) return Wrong(1, known[i].first, "this column is required");
    }
    return absl::OkStatus();
  }

  absl::Status Whole(size_t line, const char* column, std::string_view text, int64_t low, int64_t high, int32_t* out) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &value)) {
      return Wrong(line, column, absl::StrCat("\"", Shown(text), "\" is no whole number"));
    }
    if (value < low || value > high) {
      return Wrong(line, column, absl::StrCat(value, " is absurd; ", low, " to ", high, " is possible"));
    }
    *out = static_cast<int32_t>(value);
    return absl::OkStatus();
  }

  absl::Status Arrival(size_t line, std::string_view text, double* out) {
    const bool decimal = text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
    if (!decimal || !absl::SimpleAtod(absl::string_view(text.data(), text.size()), out) || !std::isfinite(*out)) {
      return Wrong(line, "arrival_s", absl::StrCat("\"", Shown(text), "\" is no number"));
    }
    if (*out < 0 || *out > kTraceSpanMax) {
      return Wrong(line, "arrival_s", absl::StrCat(*out, " is absurd; 0 to ", kTraceSpanMax, " seconds is possible"));
    }
    if (trace_.requests.empty() && *out > kFirstArrivalMax) {
      return Wrong(line, "arrival_s",
                   absl::StrFormat("the first request comes at %.6g s: arrivals count from the trace's beginning",
                                   *out));
    }
    const double last = trace_.span_s();
    if (!trace_.requests.empty() && *out < last) {
      return Wrong(line, "arrival_s",
                   absl::StrFormat("%.6g comes before the line above (%.6g): sort the trace by arrival", *out, last));
    }
    if (*out - last > kGapNote) {
      ++gaps_;
      if (*out - last > gap_) {
        gap_ = *out - last;
        gap_line_ = line;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Client(size_t line, std::string_view text) const {
    if (columns_.client < 0) return absl::OkStatus();
    if (text.empty()) return Wrong(line, "client", "must not be empty: nothing is guessed");
    if (text.size() > kClientBytesMax) return Wrong(line, "client", "is longer than 256 bytes");
    const bool odd = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
    if (odd) return Wrong(line, "client", absl::StrCat("\"", Shown(text), "\" holds a control character"));
    return absl::OkStatus();
  }

  absl::Status Prefix(size_t line, std::string_view text, TraceRequest* request) {
    request->first_block = static_cast<uint32_t>(trace_.blocks.size());
    if (text.empty()) return absl::OkStatus();
    for (const absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), '-')) {
      uint32_t block = 0;
      if (!absl::SimpleAtoi(part, &block)) return Wrong(line, "prefix", "must be numbers of blocks joined by -");
      // Engines share prefixes within a tenant only: another client's block of the same number is another block.
      const uint64_t key = uint64_t{request->client} << 32 | block;
      trace_.blocks.push_back(blocks_.emplace(key, static_cast<uint32_t>(blocks_.size())).first->second);
      ++request->block_count;
    }
    // A block's number stands for all that comes before it, too.
    std::vector<uint32_t> sorted(trace_.blocks.begin() + request->first_block, trace_.blocks.end());
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return Wrong(line, "prefix", "a block is there twice");
    }
    // The last block may be partly filled.
    const int64_t blocks_max = (int64_t{request->input_tokens} + kBlockTokens - 1) / kBlockTokens + 1;
    if (request->block_count > blocks_max) {
      return Wrong(line, "prefix",
                   absl::StrCat(request->block_count, " blocks of 512 tokens do not fit into ", request->input_tokens,
                                " input tokens"));
    }
    return absl::OkStatus();
  }

  absl::Status Row(std::string_view row, size_t line) {
    const std::vector<absl::string_view> cells = absl::StrSplit(absl::string_view(row.data(), row.size()), ',');
    if (static_cast<int>(cells.size()) != columns_.count) {
      return Wrong(line, "row", absl::StrCat("has ", cells.size(), " columns, the header ", columns_.count));
    }
    const auto cell = [&](int column) {
      return column < 0 ? std::string_view() : std::string_view(cells[column].data(), cells[column].size());
    };
    TraceRequest request;
    if (auto status = Arrival(line, cell(columns_.arrival), &request.arrival_s); !status.ok()) return status;
    auto status = Whole(line, "input_tokens", cell(columns_.input), 0, kInputTokensMax, &request.input_tokens);
    if (!status.ok()) return status;
    status = Whole(line, "output_tokens", cell(columns_.output), 0, kOutputTokensMax, &request.output_tokens);
    if (!status.ok()) return status;
    if (request.input_tokens + request.output_tokens == 0) return Wrong(line, "row", "a request without any tokens");
    if (status = Client(line, cell(columns_.client)); !status.ok()) return status;
    const std::string client(columns_.client < 0 ? std::string_view("default") : cell(columns_.client));
    const auto [found, is_new] = clients_.emplace(client, static_cast<uint32_t>(trace_.clients.size()));
    if (is_new) trace_.clients.push_back(client);
    request.client = found->second;
    if (status = Prefix(line, cell(columns_.prefix), &request); !status.ok()) return status;
    const std::string_view sensitive = cell(columns_.sensitive);
    if (!sensitive.empty() && sensitive != "0" && sensitive != "1") return Wrong(line, "sensitive", "must be 0 or 1");
    if (!sensitive.empty()) {
      request.sensitivity = sensitive == "1" ? TraceRequest::Class::kSensitive : TraceRequest::Class::kOrdinary;
    }
    trace_.requests.push_back(request);
    return absl::OkStatus();
  }

  Trace trace_;
  Columns columns_;
  absl::flat_hash_map<std::string, uint32_t> clients_;
  absl::flat_hash_map<uint64_t, uint32_t> blocks_;  // by client and number
  int gaps_ = 0;
  double gap_ = 0;
  size_t gap_line_ = 0;
};

}  // namespace

absl::StatusOr<Trace> ParseTrace(const std::string& name, const std::string& text) {
  return CsvReader(name).Read(text);
}

absl::StatusOr<Trace> ReadTrace(const std::string& path) {
  auto text = ReadMaybeGzip(path);
  if (!text.ok()) return text.status();
  auto trace = CsvReader(path).Read(*text);
  if (!trace.ok()) return trace.status();
  std::string name = std::filesystem::path(path).filename().string();
  for (const char* suffix : {".gz", ".csv"}) {
    if (absl::EndsWith(name, suffix)) name.resize(name.size() - std::string_view(suffix).size());
  }
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '\t'; }, '_');
  trace->name = name;
  return trace;
}

std::string FormatTrace(const Trace& trace) {
  std::string text = "arrival_s,input_tokens,output_tokens,client,prefix,sensitive\n";
  for (const TraceRequest& request : trace.requests) {
    const auto* blocks = trace.blocks.data() + request.first_block;
    const char* sensitive = request.sensitivity == TraceRequest::Class::kUnknown     ? ""
                            : request.sensitivity == TraceRequest::Class::kSensitive ? "1"
                                                                                     : "0";
    absl::StrAppendFormat(&text, "%.6f,%d,%d,%s,%s,%s\n", request.arrival_s, request.input_tokens,
                          request.output_tokens, trace.clients[request.client],
                          absl::StrJoin(blocks, blocks + request.block_count, "-"), sensitive);
  }
  return text;
}

}  // namespace headgate::planner
