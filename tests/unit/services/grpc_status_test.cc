// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The details are read back with google.rpc's own definitions (copied in shape, parsed at run time), so that a client
// with the googleapis package sees what we meant.

#include "services/grpc_status.h"

#include <gmock/gmock.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace headgate::services {
namespace {

constexpr char kRpcFile[] = R"(
  name: 'rpc.proto' package: 'google.rpc' syntax: 'proto3'
  dependency: 'google/protobuf/any.proto' dependency: 'google/protobuf/duration.proto'
  message_type {
    name: 'Status'
    field { name: 'code' number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: 'message' number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: 'details' number: 3 type: TYPE_MESSAGE type_name: '.google.protobuf.Any' label: LABEL_REPEATED }
  }
  message_type {
    name: 'ErrorInfo'
    field { name: 'reason' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: 'domain' number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field {
      name: 'metadata' number: 3 type: TYPE_MESSAGE label: LABEL_REPEATED
      type_name: '.google.rpc.ErrorInfo.MetadataEntry'
    }
    nested_type {
      name: 'MetadataEntry' options { map_entry: true }
      field { name: 'key' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
      field { name: 'value' number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    }
  }
  message_type {
    name: 'RetryInfo'
    field {
      name: 'retry_delay' number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
      type_name: '.google.protobuf.Duration'
    }
  }
)";

class Rpc {
 public:
  Rpc() {
    google::protobuf::Duration::descriptor();  // any and duration are in the generated pool now
    google::protobuf::Any::descriptor();
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kRpcFile, &file));
    EXPECT_NE(pool_.BuildFile(file), nullptr);
  }
  // The message as text, all on one line; "bad" when it does not parse or has unknown fields.
  std::string Text(const std::string& type, const std::string& bytes) {
    const std::unique_ptr<google::protobuf::Message> message(
        factory_.GetPrototype(pool_.FindMessageTypeByName("google.rpc." + type))->New());
    if (!message->ParseFromString(bytes)) return "bad";
    if (!message->GetReflection()->GetUnknownFields(*message).empty()) return "bad";
    return message->ShortDebugString();
  }
  // The detail of `status` with this type.
  std::string Detail(const grpc::Status& status, const std::string& type) {
    const auto* descriptor = pool_.FindMessageTypeByName("google.rpc.Status");
    const std::unique_ptr<google::protobuf::Message> message(factory_.GetPrototype(descriptor)->New());
    EXPECT_TRUE(message->ParseFromString(status.error_details()));
    const auto* details = descriptor->FindFieldByName("details");
    for (int i = 0; i < message->GetReflection()->FieldSize(*message, details); ++i) {
      google::protobuf::Any any;
      any.ParseFromString(message->GetReflection()->GetRepeatedMessage(*message, details, i).SerializeAsString());
      if (any.type_url() == "type.googleapis.com/google.rpc." + type) return Text(type, any.value());
    }
    return "none";
  }

 private:
  google::protobuf::DescriptorPool pool_{google::protobuf::DescriptorPool::generated_pool()};
  google::protobuf::DynamicMessageFactory factory_{&pool_};
};

TEST(GrpcStatus, SpeaksGoogleRpc) {
  Rpc rpc;
  const auto status = ToGrpc(absl::InvalidArgumentError("sampling.min_p: 2 is out of range"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(rpc.Text("Status", status.error_details()),
              testing::StartsWith("code: 3 message: \"sampling.min_p: 2 is out of range\" details {"));
  EXPECT_EQ(rpc.Detail(status, "ErrorInfo"),
            "reason: \"INVALID_ARGUMENT\" domain: \"headgate.io\" "
            "metadata { key: \"field\" value: \"sampling.min_p\" }");
  EXPECT_EQ(rpc.Detail(status, "RetryInfo"), "none");
  const auto busy = ToGrpc(WithRetryAfter(absl::ResourceExhaustedError("full: really"), absl::Milliseconds(2500)));
  EXPECT_EQ(rpc.Detail(busy, "RetryInfo"), "retry_delay { seconds: 2 nanos: 500000000 }");
  EXPECT_EQ(rpc.Detail(busy, "ErrorInfo"), "reason: \"RESOURCE_EXHAUSTED\" domain: \"headgate.io\"");
}

TEST(GrpcStatus, ThereAndBack) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  const auto status = WithRetryAfter(absl::UnavailableError("draining"), absl::Milliseconds(1250));
  const auto back = FromGrpc(ToGrpc(status));
  EXPECT_EQ(back.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(back.message(), "draining");
  EXPECT_EQ(RetryAfter(back), absl::Milliseconds(1250));
  EXPECT_EQ(RetryAfter(FromGrpc(ToGrpc(absl::UnavailableError("x")))), std::nullopt);
}

TEST(GrpcStatus, IgnoresDetailsThatDoNotParse) {
  const std::string good = ToGrpc(WithRetryAfter(absl::UnavailableError("x"), absl::Seconds(1))).error_details();
  for (size_t cut = 0; cut < good.size(); ++cut) {
    const auto status = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "x", good.substr(0, cut)));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "x", "\xFF\xFF\xFF")).message(), "x");
}

TEST(GrpcStatus, FieldPaths) {
  const struct {
    const char* name;
    absl::Status status;
    const char* field;
  } rows[] = {
      {"path", absl::InvalidArgumentError("messages[2].calls[0].name: has 0 bytes"), "messages[2].calls[0].name"},
      {"unknown_model", absl::NotFoundError("model: not served"), "model"},
      {"sentence", absl::InvalidArgumentError("The request is bad: really"), ""},
      {"no_colon", absl::InvalidArgumentError("max_tokens"), ""},
      {"other_code", absl::UnavailableError("engine: gone"), ""},
  };
  for (const auto& row : rows) EXPECT_EQ(FieldOf(row.status), row.field) << row.name;
}

}  // namespace
}  // namespace headgate::services
