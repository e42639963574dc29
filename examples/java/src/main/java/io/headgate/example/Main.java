// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

package io.headgate.example;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.headgate.v1.Finish;
import io.headgate.v1.GenerateRequest;
import io.headgate.v1.GenerateStreamResponse;
import io.headgate.v1.InferenceGrpc;
import io.headgate.v1.Message;
import io.headgate.v1.Role;
import io.headgate.v1.Route;
import io.headgate.v1.SensitivityLevel;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Asks one question over gRPC and prints the answer as it comes: Main QUESTION [public|...|restricted]. */
public final class Main {
  public static void main(String[] args) throws InterruptedException {
    String question = args.length > 0 ? args[0] : "What is a canal?";
    GenerateRequest.Builder request = GenerateRequest.newBuilder().setMaxTokens(64);
    request.addMessages(Message.newBuilder().setRole(Role.ROLE_USER).setContent(question));
    if (args.length > 1) {  // can only raise the level that the router finds itself
      request.setDeclaredSensitivity(
          SensitivityLevel.valueOf("SENSITIVITY_LEVEL_" + args[1].toUpperCase(Locale.ROOT)));
    }

    // Plain text for a router on this machine; with TLS leave usePlaintext() out.
    ManagedChannel channel =
        ManagedChannelBuilder.forTarget(environment("HEADGATE_GRPC", "localhost:8081")).usePlaintext().build();
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + environment("HEADGATE_API_KEY", "headgate-demo"));
    InferenceGrpc.InferenceBlockingStub router =
        InferenceGrpc.newBlockingStub(channel).withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    int exit = 0;
    try {
      // The deadline is passed on: past it, the router stops the work too.
      print(router.withDeadlineAfter(60, TimeUnit.SECONDS).generateStream(request.build()));
    } catch (StatusRuntimeException error) {
      System.err.println("error: " + error.getStatus().getCode() + ": " + error.getStatus().getDescription());
      exit = 1;
    }
    channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    System.exit(exit);
  }

  private static void print(Iterator<GenerateStreamResponse> events) {
    while (events.hasNext()) {
      GenerateStreamResponse event = events.next();
      if (event.hasRoute()) {  // first: where the answer comes from, and why
        Route route = event.getRoute();
        System.out.println("route: " + route.getTarget() + " " + route.getEndpoint() + " " + route.getReasonsList());
      } else if (event.hasDelta()) {
        System.out.print(event.getDelta().getContent());
        System.out.flush();
      } else if (event.hasFinish()) {
        Finish finish = event.getFinish();
        long tokens = finish.getUsage().getCompletionTokens();
        System.out.println("\nfinish: " + finish.getReason() + " " + tokens + " tokens");
      }
    }
  }

  private static String environment(String name, String otherwise) {
    return System.getenv().getOrDefault(name, otherwise);
  }
}
