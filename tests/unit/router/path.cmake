headgate_test(router_path_test LABEL unit
  SOURCES audit_path_test.cc budget_path_test.cc cache_path_test.cc cache_test.cc clouds_path_test.cc hedge_path_test.cc
          router_path_test.cc
  DEPS headgate_fakes headgate_router)

headgate_test(router_guards_test LABEL unit
  SOURCES conversation_test.cc fail_closed_test.cc guards_path_test.cc inspection_test.cc masking_test.cc
  DEPS headgate_fakes headgate_router)

headgate_test(router_audit_test LABEL unit
  SOURCES audit_group_test.cc audit_stall_test.cc audit_test.cc audit_verify_test.cc
  DEPS headgate_manual_clock headgate_router)
