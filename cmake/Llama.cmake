# llama.cpp is built once by tools/llama outside this build directory and imported here: target headgate::llama.
# HEADGATE_LLAMA_VARIANT names another build of it (portable, for images); HEADGATE_CUDA takes the CUDA one.
set(HEADGATE_LLAMA_VARIANT "" CACHE STRING "default, noopenmp, portable or cuda; empty = chosen by the options")
set(variant default)
if(HEADGATE_LLAMA_VARIANT)
  set(variant ${HEADGATE_LLAMA_VARIANT})
elseif(HEADGATE_SANITIZE MATCHES "thread" OR CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(variant noopenmp)  # ThreadSanitizer does not understand libgomp; Debian's clang comes without OpenMP
elseif(HEADGATE_CUDA)
  set(variant cuda)
endif()

set(llama_dir ${HEADGATE_LLAMA_DIR})
if(NOT llama_dir)
  # Prints the build folder, with src/ beside it, on its last line; builds only when the cache has none.
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/llama build ${variant}
    OUTPUT_VARIABLE llama_dir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
message(STATUS "llama.cpp: ${llama_dir}")

set(llama_source ${llama_dir}/../src)
file(GLOB_RECURSE llama_archives ${llama_dir}/*.a)
if(NOT llama_archives)
  message(FATAL_ERROR "no archives in ${llama_dir}: HEADGATE_LLAMA_DIR must be a folder that tools/llama printed")
endif()
# The portable variant: ggml is shared there, and loads the CPU's backend from ../lib/headgate of a program's folder.
if(EXISTS ${llama_dir}/backends)
  set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
  file(COPY ${llama_dir}/backends/ DESTINATION ${CMAKE_BINARY_DIR}/lib/headgate)
  list(FILTER llama_archives EXCLUDE REGEX "/libggml[^/]*$")
  list(APPEND llama_archives ${CMAKE_BINARY_DIR}/lib/headgate/libggml.so
    ${CMAKE_BINARY_DIR}/lib/headgate/libggml-base.so)
endif()
add_library(headgate_llama INTERFACE)
add_library(headgate::llama ALIAS headgate_llama)
target_include_directories(headgate_llama SYSTEM INTERFACE
  ${llama_source}/include ${llama_source}/ggml/include ${llama_source}/ggml/src ${llama_source}/common
  ${llama_source}/vendor)
# The archives refer to each other in a circle (backends register themselves in ggml).
target_link_libraries(headgate_llama INTERFACE
  -Wl,--start-group ${llama_archives} -Wl,--end-group Threads::Threads ${CMAKE_DL_LIBS} m)
set(HEADGATE_OPENMP_OPTIONS -Wno-unknown-pragmas)  # for our code that shares libllama's threads
if(NOT variant STREQUAL "noopenmp")
  set(HEADGATE_OPENMP_OPTIONS -fopenmp)
endif()
if(EXISTS ${llama_dir}/backends)
  target_link_libraries(headgate_llama INTERFACE gomp)  # the one that the loaded backends use
elseif(NOT variant STREQUAL "noopenmp")
  # Static, so that engine/backend/cores.cc can set its spinning before it reads the environment.
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libgomp.a
    OUTPUT_VARIABLE libgomp OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  target_link_libraries(headgate_llama INTERFACE ${libgomp})
endif()
if(variant STREQUAL "cuda")
  # Of a project that requires CMake 3.25, that version's module expects nvToolsExt, which CUDA 13 has not.
  set(required_cmake ${CMAKE_MINIMUM_REQUIRED_VERSION})
  set(CMAKE_MINIMUM_REQUIRED_VERSION 3.24)
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_MINIMUM_REQUIRED_VERSION ${required_cmake})
  target_link_libraries(headgate_llama INTERFACE CUDA::cudart CUDA::cublas)
  if(TARGET CUDA::cuda_driver)  # not in the Python packages of tools/cuda-check
    target_link_libraries(headgate_llama INTERFACE CUDA::cuda_driver)
  endif()
endif()
