headgate_test(router_dispatch_test LABEL unit
  SOURCES dispatch_test.cc dispatch_faults_test.cc dispatch_overload_test.cc dispatch_stall_test.cc
    hedging_test.cc
  DEPS headgate_fakes headgate_router)
