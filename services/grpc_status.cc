// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// google.rpc.Status, ErrorInfo and RetryInfo are put together field by field: the system has no googleapis package, and
// their wire format is four small messages that never change.

#include "services/grpc_status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace headgate::services {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr char kRetryAfterUrl[] = "headgate.io/retry_after_ms";
constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
constexpr int kLengthDelimited = 2;

// google.rpc.Status: 1 code, 2 message, 3 details. ErrorInfo: 1 reason, 2 domain, 3 metadata (entries: 1 key, 2 value).
// RetryInfo: 1 retry_delay.
void AppendBytes(std::string& to, uint32_t field, const std::string& bytes) {
  google::protobuf::io::StringOutputStream stream(&to);
  CodedOutputStream out(&stream);
  out.WriteTag(field << 3 | kLengthDelimited);
  out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  out.WriteString(bytes);
}

void AppendNumber(std::string& to, uint32_t field, uint32_t value) {
  google::protobuf::io::StringOutputStream stream(&to);
  CodedOutputStream out(&stream);
  out.WriteTag(field << 3);
  out.WriteVarint32(value);
}

// Calls back for each length-delimited field; stops at the first thing that is neither that nor a varint.
void ForEachBytes(const std::string& message, const std::function<void(uint32_t, const std::string&)>& callback) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
  for (uint32_t tag; (tag = in.ReadTag()) != 0;) {
    uint64_t number = 0;
    uint32_t size = 0;
    std::string bytes;
    if ((tag & 7) == 0) {
      if (!in.ReadVarint64(&number)) return;
    } else if ((tag & 7) == kLengthDelimited) {
      if (!in.ReadVarint32(&size) || !in.ReadString(&bytes, static_cast<int>(size))) return;
      callback(tag >> 3, bytes);
    } else {
      return;
    }
  }
}

void AppendDetail(std::string& to, const char* url, std::string value) {
  google::protobuf::Any any;
  any.set_type_url(url);
  any.set_value(std::move(value));
  AppendBytes(to, 3, any.SerializeAsString());
}

std::string ErrorInfo(const absl::Status& status) {
  std::string info;
  AppendBytes(info, 1, absl::StatusCodeToString(status.code()));
  AppendBytes(info, 2, "headgate.io");
  if (const std::string field = FieldOf(status); !field.empty()) {
    std::string entry;
    AppendBytes(entry, 1, "field");
    AppendBytes(entry, 2, field);
    AppendBytes(info, 3, entry);
  }
  return info;
}

std::string RetryInfo(absl::Duration after) {
  google::protobuf::Duration delay;
  delay.set_seconds(absl::IDivDuration(after, absl::Seconds(1), &after));
  delay.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(after)));
  std::string info;
  AppendBytes(info, 1, delay.SerializeAsString());
  return info;
}

}  // namespace

absl::Status WithRetryAfter(absl::Status status, absl::Duration after) {
  status.SetPayload(kRetryAfterUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(after))));
  return status;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterUrl);
  int64_t ms = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &ms)) return std::nullopt;
  return absl::Milliseconds(ms);
}

std::string FieldOf(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument && status.code() != absl::StatusCode::kNotFound) return "";
  const std::string message(status.message());
  const size_t end = message.find(": ");
  if (end == std::string::npos || end == 0 || end > 128) return "";
  const std::string field = message.substr(0, end);
  const bool path = std::all_of(field.begin(), field.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           c == '_' || c == '.' || c == '[' || c == ']';
  });
  return path ? field : "";
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());  // the numbers are the same
  const std::string message(status.message());
  std::string details;
  AppendNumber(details, 1, static_cast<uint32_t>(status.code()));
  AppendBytes(details, 2, message);
  AppendDetail(details, kErrorInfoUrl, ErrorInfo(status));
  if (const auto after = RetryAfter(status)) AppendDetail(details, kRetryInfoUrl, RetryInfo(*after));
  return grpc::Status(code, message, details);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  ForEachBytes(status.error_details(), [&](uint32_t field, const std::string& detail) {
    google::protobuf::Any any;
    if (field != 3 || !any.ParseFromString(detail) || any.type_url() != kRetryInfoUrl) return;
    ForEachBytes(any.value(), [&](uint32_t inner, const std::string& bytes) {
      google::protobuf::Duration delay;
      if (inner != 1 || !delay.ParseFromString(bytes)) return;
      result = WithRetryAfter(result, absl::Seconds(delay.seconds()) + absl::Nanoseconds(delay.nanos()));
    });
  });
  return result;
}

}  // namespace headgate::services
