// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LoadService: the half of the Engine service that is served beside Inference: it pushes the load to routers.
// admin_service.h has the other.
//
// Thread-safety: gRPC calls it from its own threads. Loads are pushed by a thread of their own, which never waits for
// a decode step nor for a client: a client that reads slowly misses loads, and gets the newest when it is ready.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "engine/engine.h"
#include "headgate/v1/engine.grpc.pb.h"

namespace headgate::services {

class LoadService final : public v1::Engine::CallbackService {
 public:
  // `engine` must outlive it.
  explicit LoadService(engine::Engine& engine);
  ~LoadService() override;

  grpc::ServerWriteReactor<v1::Load>* WatchLoad(grpc::CallbackServerContext* context,
                                                const v1::WatchLoadRequest* request) override;
  // Ends all watches: before the server is shut down.
  void EndWatches();

 private:
  class Watch;
  void Push();  // the pushing thread

  engine::Engine& engine_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Watch>> watches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace headgate::services
