// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// BatchStore: the files and batches of /v1/files and /v1/batches. In memory only, because lines may be sensitive: they
// end with the process. Everything is bounded, by tenant and in all, and goes after BatchLimits::kept. A tenant meets
// its own alone: what is another's is not found.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "router/request.h"

namespace headgate::services {

struct BatchLimits {
  size_t bytes_max = 64 << 20;  // files of all tenants, and answers that are not files yet
  size_t tenant_bytes_max = 16 << 20;
  size_t tenant_files_max = 128;
  size_t tenant_batches_max = 64;
  size_t lines_max = 10000;     // of one batch
  int at_a_time = 16;           // lines of all batches
  absl::Duration kept = absl::Hours(24);  // a file; a batch after its end. Also the time that a batch has
};

struct BatchFile {
  std::string id;
  std::string tenant;
  std::string filename;
  std::string purpose;  // batch, batch_output
  std::string content;
  absl::Time created;
  absl::Time expires;
  int used = 0;  // by batches that are not over

  std::string Json() const;
};

enum class BatchStatus { kValidating, kFailed, kInProgress, kCompleted, kExpired, kCancelling, kCancelled };

struct Batch {
  std::string id;
  std::string tenant;
  std::string endpoint;  // a path
  router::RequestHead head;  // of the request that made it: its key and level are each line's
  std::shared_ptr<BatchFile> input;  // until it is over
  std::string input_id;
  std::vector<std::pair<std::string, std::string>> metadata;
  BatchStatus status = BatchStatus::kValidating;
  absl::Time created, expires;
  std::map<std::string, absl::Time> times;  // began, over and so on, by their names in the API
  struct Mistake {
    std::string code;
    std::string message;
    size_t line = 0;  // 1..; 0 = none
  };
  std::vector<Mistake> mistakes;
  std::string output_file, error_file;      // ids, at the end

  std::vector<std::string_view> lines;  // of the input, empty ones left out; until it is over
  size_t total = 0;                     // lines
  size_t next = 0;                      // line
  int running = 0;                      // lines
  size_t completed = 0, failed = 0;
  std::string output, errors;           // JSON lines so far
  std::set<Cancellation*> stops;        // of running lines

  bool over() const;
  std::string Json() const;
};

class BatchStore {
 public:
  BatchStore(Clock& clock, RandomBytes random, BatchLimits limits, Metrics& metrics);

  // RESOURCE_EXHAUSTED: no room, says of what.
  absl::StatusOr<std::shared_ptr<BatchFile>> AddFile(const std::string& tenant, std::string filename,
                                                     std::string purpose, std::string content);
  // NOT_FOUND.
  absl::StatusOr<std::shared_ptr<BatchFile>> File(const std::string& tenant, const std::string& id) const;
  // NOT_FOUND; ABORTED: a batch that is not over uses it.
  absl::Status DeleteFile(const std::string& tenant, const std::string& id);
  std::vector<std::shared_ptr<BatchFile>> Files(const std::string& tenant) const;  // newest first

  absl::StatusOr<std::shared_ptr<Batch>> AddBatch(const std::string& tenant, std::shared_ptr<BatchFile> input);
  absl::StatusOr<std::shared_ptr<Batch>> Find(const std::string& tenant, const std::string& id) const;
  std::vector<std::shared_ptr<Batch>> Batches(const std::string& tenant) const;  // newest first
  const std::map<std::string, std::shared_ptr<Batch>>& batches() const { return batches_; }

  // A line of the batch's results. False: there is no room for it, and it is lost.
  bool Append(Batch& batch, bool good, const std::string& line);
  // The batch is over: its results become files.
  void End(Batch& batch, BatchStatus status);
  // Lets go of what has been kept long enough.
  void Sweep();

  const BatchLimits& limits() const { return limits_; }
  size_t bytes() const { return bytes_; }

 private:
  bool Room(const std::string& tenant, size_t bytes) const;
  void Count(const std::string& tenant, int64_t bytes);
  std::string Publish(Batch& batch, std::string& content, const char* what);
  template <typename T>
  std::vector<std::shared_ptr<T>> Of(const std::map<std::string, std::shared_ptr<T>>& all,
                                     const std::string& tenant) const;

  Clock& clock_;
  const RandomBytes random_;
  const BatchLimits limits_;
  Gauge& bytes_gauge_;
  std::map<std::string, std::shared_ptr<BatchFile>> files_;  // by id
  std::map<std::string, std::shared_ptr<Batch>> batches_;
  std::map<std::string, size_t> tenant_bytes_;
  size_t bytes_ = 0;
};

}  // namespace headgate::services
