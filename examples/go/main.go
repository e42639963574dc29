// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Asks one question over gRPC and prints the answer as it comes: go run . QUESTION [public|...|restricted].
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "headgate.io/examples/go/headgatev1"
)

//go:generate ./generate.sh

func main() {
	question, level := "What is a canal?", ""
	if len(os.Args) > 1 {
		question = os.Args[1]
	}
	if len(os.Args) > 2 {
		level = "SENSITIVITY_LEVEL_" + strings.ToUpper(os.Args[2])
	}
	if err := ask(question, level); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func ask(question, level string) error {
	// Plain text for a router on this machine; with TLS use credentials.NewTLS.
	connection, err := grpc.NewClient(environment("HEADGATE_GRPC", "localhost:8081"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()

	// The deadline is passed on: past it, the router stops the work too.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	key := environment("HEADGATE_API_KEY", "headgate-demo")
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	stream, err := pb.NewInferenceClient(connection).GenerateStream(ctx, &pb.GenerateRequest{
		Messages:  []*pb.Message{{Role: pb.Role_ROLE_USER, Content: question}},
		MaxTokens: proto.Int32(64),
		// Can only raise the level that the router finds itself.
		DeclaredSensitivity: pb.SensitivityLevel(pb.SensitivityLevel_value[level]),
	})
	for err == nil { // io.EOF comes after the last event, with a nil one, whose getters answer nothing
		var event *pb.GenerateStreamResponse
		event, err = stream.Recv()
		if route := event.GetRoute(); route != nil { // first: where the answer comes from, and why
			fmt.Println("route:", route.Target, route.Endpoint, route.Reasons)
		}
		fmt.Print(event.GetDelta().GetContent())
		if finish := event.GetFinish(); finish != nil {
			fmt.Println("\nfinish:", finish.Reason, finish.Usage.GetCompletionTokens(), "tokens")
		}
	}
	if err == io.EOF {
		err = nil
	}
	return err
}

func environment(name, otherwise string) string {
	return cmp.Or(os.Getenv(name), otherwise)
}
