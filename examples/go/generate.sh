#!/bin/sh
# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
#
# Generates headgatev1/ from the contract in proto/. Needs protoc; its Go plugins are the versions in go.mod, built
# into the user's cache.
set -eu
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headgate/go-plugins
package=headgate.io/examples/go/headgatev1
map=Mheadgate/v1/inference.proto=$package

GOBIN=$cache go install google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
mkdir -p headgatev1
protoc --proto_path=../../proto \
  --plugin="$cache/protoc-gen-go" --go_out=headgatev1 --go_opt="module=$package,$map" \
  --plugin="$cache/protoc-gen-go-grpc" --go-grpc_out=headgatev1 --go-grpc_opt="module=$package,$map" \
  headgate/v1/inference.proto
