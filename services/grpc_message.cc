// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/grpc_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <map>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace headgate::services {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

bool ValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

// The path of the first string that is not UTF-8; empty when there is none.
std::string BadString(const Descriptor& type, std::string_view bytes, const std::string& before) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  std::map<int, int> entries;  // of repeated fields, by number
  for (uint32_t tag; (tag = in.ReadTag()) != 0;) {
    const FieldDescriptor* const field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    const bool bounded = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (!bounded || field == nullptr) {
      if (!WireFormatLite::SkipField(&in, tag)) return "";
      continue;
    }
    uint32_t size = 0;
    const int at = in.ReadVarint32(&size) ? in.CurrentPosition() : 0;
    if (at == 0 || !in.Skip(static_cast<int>(size))) return "";
    const std::string_view value = bytes.substr(static_cast<size_t>(at), size);
    std::string path = before + field->name();
    if (field->is_repeated()) absl::StrAppend(&path, "[", entries[field->number()]++, "]");
    if (field->type() == FieldDescriptor::TYPE_STRING && !ValidUtf8(value)) return path;
    if (field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    if (std::string found = BadString(*field->message_type(), value, path + "."); !found.empty()) return found;
  }
  return "";
}

}  // namespace

absl::Status ReadMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  grpc::ByteBuffer read = bytes;  // no copy of what it holds
  grpc::ProtoBufferReader reader(&read);
  if (reader.status().ok() && message.ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  const Descriptor& type = *message.GetDescriptor();
  grpc::Slice whole;
  std::string path;
  if (bytes.DumpToSingleSlice(&whole).ok()) {
    path = BadString(type, {reinterpret_cast<const char*>(whole.begin()), whole.size()}, "");
  }
  if (!path.empty()) return absl::InvalidArgumentError(path + ": not valid UTF-8");
  return absl::InvalidArgumentError(absl::StrCat("request: is cut short or no ", type.name()));
}

absl::Status WriteMessage(const google::protobuf::Message& message, grpc::ByteBuffer& bytes) {
  bytes.Clear();  // gRPC ends the process otherwise
  bool own = false;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(message, &bytes, &own);
  return status.ok() ? absl::OkStatus() : absl::InternalError("the answer cannot be written");
}

}  // namespace headgate::services
