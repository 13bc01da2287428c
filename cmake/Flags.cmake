# Flags.cmake - warnings are errors, hardening is on, and includes are written with their folder.
add_library(pl_flags INTERFACE)
target_include_directories(pl_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(pl_flags INTERFACE _GNU_SOURCE PL_VERSION="${PROJECT_VERSION}")
target_compile_options(pl_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
  -Wwrite-strings -Wvla -Wformat=2 -Wno-missing-field-initializers
  -fno-common -fno-strict-aliasing -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(pl_flags INTERFACE -fstack-clash-protection)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(pl_flags INTERFACE -fcf-protection)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(pl_flags INTERFACE _FORTIFY_SOURCE=2)
  # What only an assertion uses is unused here; debug builds find what nothing uses.
  target_compile_options(pl_flags INTERFACE -Wno-unused-parameter -Wno-unused-variable -Wno-unused-const-variable
    -Wno-unused-but-set-variable -Wno-unused-but-set-parameter)
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(PL_SANITIZE)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # gcc's own advice: instrumented code hides ranges from these warnings
    target_compile_options(pl_flags INTERFACE -Wno-format-truncation -Wno-stringop-overflow -Wno-maybe-uninitialized)
  endif()
  add_compile_options(-fsanitize=${PL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PL_SANITIZE})
endif()
if(PL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
