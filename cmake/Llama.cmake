# llama.cpp is built once by tools/llama outside this build directory and imported here: target headgate::llama.
set(variant default)
if(HEADGATE_SANITIZE MATCHES "thread")
  set(variant noopenmp)  # ThreadSanitizer does not understand libgomp
elseif(HEADGATE_CUDA)
  set(variant cuda)
endif()
if(NOT HEADGATE_LLAMA_DIR)
  # Prints the directory with src/ and build/ on its last line; builds only when the cache has none.
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/llama build ${variant}
    OUTPUT_VARIABLE llama_dir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(HEADGATE_LLAMA_DIR ${llama_dir} CACHE PATH "" FORCE)
endif()
message(STATUS "llama.cpp: ${HEADGATE_LLAMA_DIR}")

set(llama_source ${HEADGATE_LLAMA_DIR}/../src)
file(GLOB_RECURSE llama_archives ${HEADGATE_LLAMA_DIR}/*.a)
add_library(headgate_llama INTERFACE)
add_library(headgate::llama ALIAS headgate_llama)
target_include_directories(headgate_llama SYSTEM INTERFACE
  ${llama_source}/include ${llama_source}/ggml/include ${llama_source}/common ${llama_source}/vendor)
# The archives refer to each other in a circle (backends register themselves in ggml).
target_link_libraries(headgate_llama INTERFACE
  -Wl,--start-group ${llama_archives} -Wl,--end-group Threads::Threads ${CMAKE_DL_LIBS} m)
if(NOT variant STREQUAL "noopenmp")
  find_package(OpenMP REQUIRED)
  target_link_libraries(headgate_llama INTERFACE OpenMP::OpenMP_CXX)
endif()
