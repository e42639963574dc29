# Warnings, sanitizers, ccache and a fast linker where they are installed.
find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need the sloppiness; the rest lets another checkout on this machine use what one has compiled.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
    CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD mold)
find_program(LLD ld.lld)
if(MOLD)
  add_link_options(-fuse-ld=mold)
elseif(LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-pthread -Wall -Wextra -Werror=return-type -Werror=switch -Werror=unused-result
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # what ccache asks for
  # g++ 12 reports false positives inside coroutine frames and std::string at -O2.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-subobject-linkage -Wno-mismatched-new-delete)
endif()

if(HEADGATE_SANITIZE)
  add_compile_options(-fsanitize=${HEADGATE_SANITIZE} -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${HEADGATE_SANITIZE})
endif()
