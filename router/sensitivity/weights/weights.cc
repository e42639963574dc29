// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/weights/weights.h"

// HEADGATE_WEIGHTS_DIR comes from CMake, which also rebuilds this file when a weights file changes.
#define HEADGATE_EMBED(symbol, file)                                                                    \
  __asm__(".pushsection .rodata\n.balign 64\n" #symbol "_begin:\n.incbin \"" HEADGATE_WEIGHTS_DIR "/" file \
          "\"\n" #symbol "_end:\n.byte 0\n.popsection\n")

HEADGATE_EMBED(headgate_topic_weights, "topic_model.bin");
HEADGATE_EMBED(headgate_name_weights, "name_tagger.bin");

extern "C" {
extern const char headgate_topic_weights_begin[], headgate_topic_weights_end[];
extern const char headgate_name_weights_begin[], headgate_name_weights_end[];
}

namespace headgate::router {
namespace {

std::string_view Between(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }

}  // namespace

std::string_view TopicWeights() { return Between(headgate_topic_weights_begin, headgate_topic_weights_end); }
std::string_view NameWeights() { return Between(headgate_name_weights_begin, headgate_name_weights_end); }

}  // namespace headgate::router
