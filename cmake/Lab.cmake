# Lab.cmake - the NAT laboratory of tests/natlab: its programs, its self test, and what is tested in it.
file(GLOB natbox_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/natlab/natbox/*.c)
add_executable(natbox ${natbox_sources})
target_link_libraries(natbox PRIVATE pl_flags m)
add_executable(natprobe ${CMAKE_SOURCE_DIR}/tests/natlab/natprobe.c)
target_link_libraries(natprobe PRIVATE pl_flags)
set_target_properties(natbox natprobe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

set(PL_LAB_ENVIRONMENT "NATBOX=$<TARGET_FILE:natbox>" "NATPROBE=$<TARGET_FILE:natprobe>")
add_test(NAME natlab.selftest COMMAND sh ${CMAKE_SOURCE_DIR}/tests/natlab/selftest.sh nat lab)
set_tests_properties(natlab.selftest PROPERTIES LABELS natlab RUN_SERIAL ON TIMEOUT 300
                     ENVIRONMENT "${PL_LAB_ENVIRONMENT}")

# ICE agents that others wrote, as the other end.
pkg_check_modules(NICE REQUIRED IMPORTED_TARGET nice)
add_executable(libnice_peer ${CMAKE_SOURCE_DIR}/tests/interop/libnice_peer.c)
target_link_libraries(libnice_peer PRIVATE pl_flags PkgConfig::NICE)
set_target_properties(libnice_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Both sides are `peerline`, or one of them.
if(TARGET peerline_program)
  add_test(NAME natlab.matrix COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/natlab/matrix)
  set_tests_properties(natlab.matrix PROPERTIES LABELS "natlab;program" RUN_SERIAL ON TIMEOUT 900
    ENVIRONMENT "${PL_LAB_ENVIRONMENT};PEERLINE=$<TARGET_FILE:peerline_program>;LIBNICE_PEER=$<TARGET_FILE:libnice_peer>")
endif()

# Data channels over slow, long and lossy links.
add_executable(natlab_bulk ${CMAKE_SOURCE_DIR}/tests/natlab/bulk.c)
target_link_libraries(natlab_bulk PRIVATE pl_flags peerline)
set_target_properties(natlab_bulk PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME natlab.links COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/natlab/links --rates 10,50
         --rtts 20,100 --losses 0.1 --seconds 8 --check)
set_tests_properties(natlab.links PROPERTIES LABELS natlab RUN_SERIAL ON TIMEOUT 300
  ENVIRONMENT "${PL_LAB_ENVIRONMENT};NATLAB_BULK=$<TARGET_FILE:natlab_bulk>")
