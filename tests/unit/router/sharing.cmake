headgate_test(router_sharing_test LABEL unit
  SOURCES redis_leases_test.cc shared_limits_test.cc shared_switch_test.cc
  DEPS headgate_manual_clock headgate_router)
