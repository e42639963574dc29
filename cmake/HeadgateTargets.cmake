# The headers that most files include, parsed once: half of the time of a build from nothing. Each file still includes
# what it uses; the fuzz preset builds without.
option(HEADGATE_PCH "Precompile the common headers" ON)
function(headgate_precompile name)
  if(HEADGATE_PCH)
    target_precompile_headers(${name} REUSE_FROM ${ARGV1})
  endif()
endfunction()

# headgate_module(NAME [NO_PCH] [HOT] SOURCES a.cc ... DEPS lib ...): one static library per module, includes from the
# root.
# NO_PCH: for optimization flags of its own; g++ 12 crashes on headers that were precompiled with others.
# HOT: loops that requests wait for: -O3 in release builds. Everywhere it would only make programs larger, and slower.
function(headgate_module name)
  cmake_parse_arguments(arg "NO_PCH;HOT" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
  if(arg_HOT AND CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O3)
    set(arg_NO_PCH TRUE)
  endif()
  if(NOT arg_NO_PCH)
    headgate_precompile(${name} headgate_pch)
  endif()
endfunction()

# headgate_binary(NAME SOURCES ... DEPS ...): build/<preset>/bin/NAME.
function(headgate_binary name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  headgate_precompile(${name} headgate_pch)
endfunction()

# headgate_test(NAME LABEL unit|integration|sim SOURCES ... DEPS ...): a GoogleTest binary, one ctest entry.
function(headgate_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  headgate_precompile(${name} headgate_test_pch)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(HEADGATE_SANITIZE)  # slower, on machines that have other things to do
    math(EXPR arg_TIMEOUT "4 * ${arg_TIMEOUT}")
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "HEADGATE_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};HEADGATE_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()
