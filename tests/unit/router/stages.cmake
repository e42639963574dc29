headgate_test(router_config_test LABEL unit
  SOURCES cloud_prompt_test.cc config_test.cc prompt_test.cc
  DEPS headgate_router_values)

headgate_test(router_stages_test LABEL unit
  SOURCES accounting_test.cc admission_test.cc budget_test.cc policy_test.cc request_rules_test.cc scaling_test.cc
          traffic_meter_test.cc
  DEPS headgate_manual_clock headgate_router)

# What must not compile. The control shows that the same call with nothing wrong does.
function(headgate_gate_test name expected)
  add_test(NAME router_compile_${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/check ${expected}
            ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/${name}.cc ${CMAKE_CXX_COMPILER}
            -std=c++20 -fsyntax-only -I${CMAKE_SOURCE_DIR} -I${CMAKE_BINARY_DIR}/proto)
  set_tests_properties(router_compile_${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
headgate_gate_test(control compiles)
headgate_gate_test(permit_without_policy private)
headgate_gate_test(permit_copied deleted)
headgate_gate_test(prompt_without_permit private)
headgate_gate_test(cloud_takes_prompt convert)
