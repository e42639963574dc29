// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/grpc_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "headgate/v1/inference.pb.h"

namespace headgate::services {
namespace {

// In slices of one byte: gRPC cuts where it likes.
grpc::ByteBuffer Bytes(const std::string& text) {
  std::vector<grpc::Slice> slices;
  for (const char c : text) slices.emplace_back(std::string(1, c));
  return {slices.data(), slices.size()};
}

TEST(GrpcMessage, WhatIsWrittenIsRead) {
  v1::GenerateRequest request;
  request.add_messages()->set_content("é 中 🐉");
  request.add_stop("\n");
  request.set_prompt(std::string(10000, 'x'));
  grpc::ByteBuffer bytes;
  ASSERT_TRUE(WriteMessage(request, bytes).ok());
  ASSERT_TRUE(WriteMessage(request, bytes).ok()) << "a second time";
  v1::GenerateRequest read;
  ASSERT_TRUE(ReadMessage(bytes, read).ok());
  EXPECT_EQ(read.SerializeAsString(), request.SerializeAsString());
  ASSERT_TRUE(ReadMessage(Bytes(request.SerializeAsString()), read).ok());
  EXPECT_EQ(read.SerializeAsString(), request.SerializeAsString());
  EXPECT_TRUE(ReadMessage(Bytes(""), read).ok()) << "no bytes are a message without fields";
}

TEST(GrpcMessage, SaysWhatIsWrong) {
  const auto request = [](auto fill) {
    v1::GenerateRequest made;
    made.add_messages()->set_content("fine");
    fill(made);
    return made.SerializePartialAsString();
  };
  const struct {
    const char* name;
    std::string bytes;
    const char* message;
  } rows[] = {
      {"prompt", request([](auto& r) { r.set_prompt("a\xff\xfe"); }), "prompt: not valid UTF-8"},
      {"overlong", request([](auto& r) { r.set_user("\xc0\xaf"); }), "user: not valid UTF-8"},
      {"surrogate", request([](auto& r) { r.set_user("\xed\xa0\x80"); }), "user: not valid UTF-8"},
      {"second_message", request([](auto& r) { r.add_messages()->set_content("\x80"); }),
       "messages[1].content: not valid UTF-8"},
      {"third_stop",
       request([](auto& r) {
         for (const char* stop : {"a", "b", "\xf8"}) r.add_stop(stop);
       }),
       "stop[2]: not valid UTF-8"},
      {"cut_short", "\x1a\x7f" "abc", "request: is cut short or no GenerateRequest"},
      {"no_message", "\xff\xff\xff", "request: is cut short or no GenerateRequest"},
      {"end_of_a_group", "\x0c", "request: is cut short or no GenerateRequest"},
      {"length_past_all", "\x1a\xff\xff\xff\xff\x0f", "request: is cut short or no GenerateRequest"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    v1::GenerateRequest read;
    const absl::Status status = ReadMessage(Bytes(row.bytes), read);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), row.message);
  }
}

}  // namespace
}  // namespace headgate::services
