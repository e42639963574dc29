# policy.cc alone: only Policy can mint the permit that a CloudPrompt needs.
headgate_test(upstream_cloud_test LABEL unit
  SOURCES cloud_account_test.cc cloud_chunk_test.cc cloud_client_test.cc cloud_whole_test.cc cloud_wire_test.cc
          deepseek_account_test.cc ${CMAKE_SOURCE_DIR}/router/policy.cc
  DEPS headgate_upstream headgate_deepseek_emulator headgate_http_stub)
