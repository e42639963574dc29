// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/batch_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

const char* Name(BatchStatus status) {
  switch (status) {
    case BatchStatus::kValidating: return "validating";
    case BatchStatus::kFailed: return "failed";
    case BatchStatus::kInProgress: return "in_progress";
    case BatchStatus::kCompleted: return "completed";
    case BatchStatus::kExpired: return "expired";
    case BatchStatus::kCancelling: return "cancelling";
    case BatchStatus::kCancelled: return "cancelled";
  }
  return "failed";
}

// Strings of clients may be no UTF-8.
std::string Text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json IdOrNull(const std::string& id) { return id.empty() ? Json() : Json(id); }

}  // namespace

std::string BatchFile::Json() const {
  return Text({{"id", id},
               {"object", "file"},
               {"bytes", content.size()},
               {"created_at", absl::ToUnixSeconds(created)},
               {"expires_at", absl::ToUnixSeconds(expires)},
               {"filename", filename},
               {"purpose", purpose},
               {"status", "processed"}});
}

bool Batch::over() const {
  return status == BatchStatus::kFailed || status == BatchStatus::kCompleted || status == BatchStatus::kExpired ||
         status == BatchStatus::kCancelled;
}

std::string Batch::Json() const {
  services::Json json = {{"id", id},
                         {"object", "batch"},
                         {"endpoint", endpoint},
                         {"errors", nullptr},
                         {"input_file_id", input_id},
                         {"completion_window", "24h"},
                         {"status", Name(status)},
                         {"output_file_id", IdOrNull(output_file)},
                         {"error_file_id", IdOrNull(error_file)},
                         {"created_at", absl::ToUnixSeconds(created)},
                         {"expires_at", absl::ToUnixSeconds(expires)}};
  for (const char* name : {"in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
                           "cancelling_at", "cancelled_at"}) {
    const auto at = times.find(name);
    json[name] = at == times.end() ? services::Json() : services::Json(absl::ToUnixSeconds(at->second));
  }
  json["request_counts"] = {{"total", total}, {"completed", completed}, {"failed", failed}};
  json["metadata"] = metadata.empty() ? services::Json() : services::Json::object();
  for (const auto& [key, value] : metadata) json["metadata"][key] = value;
  if (!mistakes.empty()) {
    json["errors"] = {{"object", "list"}, {"data", services::Json::array()}};
    for (const Mistake& mistake : mistakes) {
      json["errors"]["data"].push_back(
          {{"code", mistake.code},
           {"message", mistake.message},
           {"param", nullptr},
           {"line", mistake.line == 0 ? services::Json() : services::Json(mistake.line)}});
    }
  }
  return Text(json);
}

BatchStore::BatchStore(Clock& clock, RandomBytes random, BatchLimits limits, Metrics& metrics)
    : clock_(clock),
      random_(std::move(random)),
      limits_(limits),
      bytes_gauge_(metrics.GetGauge("headgate_router_batch_bytes", "Files and results of batches, in memory")) {}

bool BatchStore::Room(const std::string& tenant, size_t bytes) const {
  const auto at = tenant_bytes_.find(tenant);
  const size_t used = at == tenant_bytes_.end() ? 0 : at->second;
  return used + bytes <= limits_.tenant_bytes_max && bytes_ + bytes <= limits_.bytes_max;
}

void BatchStore::Count(const std::string& tenant, int64_t bytes) {
  bytes_ += static_cast<size_t>(bytes);  // wraps back for negative ones
  size_t& used = tenant_bytes_[tenant];
  used += static_cast<size_t>(bytes);
  if (used == 0) tenant_bytes_.erase(tenant);
  bytes_gauge_.Set(static_cast<double>(bytes_));
}

template <typename T>
std::vector<std::shared_ptr<T>> BatchStore::Of(const std::map<std::string, std::shared_ptr<T>>& all,
                                               const std::string& tenant) const {
  std::vector<std::shared_ptr<T>> own;
  for (const auto& [id, one] : all) {
    if (one->tenant == tenant) own.push_back(one);
  }
  std::stable_sort(own.begin(), own.end(), [](const auto& a, const auto& b) { return a->created > b->created; });
  return own;
}

std::vector<std::shared_ptr<BatchFile>> BatchStore::Files(const std::string& tenant) const {
  return Of(files_, tenant);
}

std::vector<std::shared_ptr<Batch>> BatchStore::Batches(const std::string& tenant) const {
  return Of(batches_, tenant);
}

absl::StatusOr<std::shared_ptr<BatchFile>> BatchStore::AddFile(const std::string& tenant, std::string filename,
                                                               std::string purpose, std::string content) {
  if (Files(tenant).size() >= limits_.tenant_files_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("file: there are ", limits_.tenant_files_max, " files already; delete some"));
  }
  if (!Room(tenant, content.size())) {
    return absl::ResourceExhaustedError(absl::StrCat("file: no room; a tenant's files and results may have ",
                                                     limits_.tenant_bytes_max, " bytes; delete some"));
  }
  auto file = std::make_shared<BatchFile>();
  file->id = absl::StrCat("file-", Hex(random_(12)));
  file->tenant = tenant;
  file->filename = std::move(filename);
  file->purpose = std::move(purpose);
  file->content = std::move(content);
  file->created = clock_.WallTime();
  file->expires = file->created + limits_.kept;
  Count(tenant, static_cast<int64_t>(file->content.size()));
  files_[file->id] = file;
  return file;
}

absl::StatusOr<std::shared_ptr<BatchFile>> BatchStore::File(const std::string& tenant, const std::string& id) const {
  const auto found = files_.find(id);
  if (found != files_.end() && found->second->tenant == tenant) return found->second;
  return absl::NotFoundError("no such file");
}

absl::Status BatchStore::DeleteFile(const std::string& tenant, const std::string& id) {
  const auto file = File(tenant, id);
  if (!file.ok()) return file.status();
  if ((*file)->used > 0) return absl::AbortedError("a batch that is not over uses the file");
  Count(tenant, -static_cast<int64_t>((*file)->content.size()));
  files_.erase(id);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Batch>> BatchStore::AddBatch(const std::string& tenant,
                                                            std::shared_ptr<BatchFile> input) {
  if (Batches(tenant).size() >= limits_.tenant_batches_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", limits_.tenant_batches_max, " batches already; one that is over is kept for ",
                     absl::FormatDuration(limits_.kept)));
  }
  auto batch = std::make_shared<Batch>();
  batch->id = absl::StrCat("batch_", Hex(random_(12)));
  batch->tenant = tenant;
  ++input->used;
  batch->input_id = input->id;
  batch->input = std::move(input);
  batch->created = clock_.WallTime();
  batch->expires = batch->created + limits_.kept;
  batches_[batch->id] = batch;
  return batch;
}

absl::StatusOr<std::shared_ptr<Batch>> BatchStore::Find(const std::string& tenant, const std::string& id) const {
  const auto found = batches_.find(id);
  if (found != batches_.end() && found->second->tenant == tenant) return found->second;
  return absl::NotFoundError("no such batch");
}

bool BatchStore::Append(Batch& batch, bool good, const std::string& line) {
  if (!Room(batch.tenant, line.size())) return false;
  Count(batch.tenant, static_cast<int64_t>(line.size()));
  (good ? batch.output : batch.errors).append(line);
  return true;
}

// Its bytes are counted already, and a result is a file beyond the number that a tenant may upload.
std::string BatchStore::Publish(Batch& batch, std::string& content, const char* what) {
  if (content.empty()) return "";
  auto file = std::make_shared<BatchFile>();
  file->id = absl::StrCat("file-", Hex(random_(12)));
  file->tenant = batch.tenant;
  file->filename = absl::StrCat(batch.id, "_", what, ".jsonl");
  file->purpose = "batch_output";
  file->content = std::move(content);
  content.clear();
  file->created = clock_.WallTime();
  file->expires = file->created + limits_.kept;
  files_[file->id] = file;
  return file->id;
}

void BatchStore::End(Batch& batch, BatchStatus status) {
  const absl::Time now = clock_.WallTime();
  batch.status = status;
  batch.times["finalizing_at"] = now;
  batch.times[absl::StrCat(Name(status), "_at")] = now;
  batch.output_file = Publish(batch, batch.output, "output");
  batch.error_file = Publish(batch, batch.errors, "error");
  batch.head = {};  // it has a key
  --batch.input->used;
  batch.input.reset();
  batch.lines = {};
}

void BatchStore::Sweep() {
  const absl::Time now = clock_.WallTime();
  for (auto at = batches_.begin(); at != batches_.end();) {
    const Batch& batch = *at->second;
    const bool gone = batch.over() && now >= batch.times.at("finalizing_at") + limits_.kept;
    at = gone ? batches_.erase(at) : std::next(at);
  }
  for (auto at = files_.begin(); at != files_.end();) {
    const BatchFile& file = *at->second;
    if (now < file.expires || file.used > 0) {
      ++at;
      continue;
    }
    Count(file.tenant, -static_cast<int64_t>(file.content.size()));
    at = files_.erase(at);
  }
}

}  // namespace headgate::services
