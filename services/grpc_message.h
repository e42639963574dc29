// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Messages of raw gRPC methods. A method that gRPC parses for us answers what does not parse with UNIMPLEMENTED and no
// word; a raw one can say what is wrong.
//
// Thread-safety: pure functions.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"

namespace headgate::services {

// INVALID_ARGUMENT: `messages[0].content: not valid UTF-8` names the first such field; `request: ...` when the bytes
// are no message of this type.
absl::Status ReadMessage(const grpc::ByteBuffer& bytes, google::protobuf::Message& message);

absl::Status WriteMessage(const google::protobuf::Message& message, grpc::ByteBuffer& bytes);

}  // namespace headgate::services
