headgate_test(upstream_local_test LABEL unit
  SOURCES address_ranges_test.cc circuit_breaker_test.cc cloud_limit_test.cc endpoint_choice_test.cc
          endpoint_registry_test.cc
  DEPS headgate_fakes headgate_upstream)
headgate_test(engine_client_test LABEL unit
  SOURCES engine_channel_test.cc engine_client_test.cc engine_whole_test.cc
  DEPS headgate_fakes headgate_upstream)
headgate_test(upstream_pods_test LABEL unit
  SOURCES endpoint_slices_test.cc endpoint_watch_test.cc openai_engine_test.cc openai_load_test.cc plain_http_test.cc
  DEPS headgate_fakes headgate_http_stub headgate_upstream nlohmann_json::nlohmann_json)
