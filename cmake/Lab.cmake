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

# An XMPP client that others wrote.
pkg_check_modules(STROPHE REQUIRED IMPORTED_TARGET libstrophe)
add_executable(strophe_peer ${CMAKE_SOURCE_DIR}/tests/interop/strophe_peer.c)
target_link_libraries(strophe_peer PRIVATE pl_flags PkgConfig::STROPHE)
set_target_properties(strophe_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Data channels with stacks that others wrote; pion's end is built by Go from Debian's sources first.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
add_executable(channel_peer ${CMAKE_SOURCE_DIR}/tests/interop/channel_peer.c)
target_link_libraries(channel_peer PRIVATE pl_flags peerline PkgConfig::JANSSON PkgConfig::OPENSSL Threads::Threads)
set_target_properties(channel_peer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set(PL_PION_CHANNELS ${CMAKE_BINARY_DIR}/tests/go/pion_channels)
add_test(NAME interop.build_pion COMMAND sh ${CMAKE_SOURCE_DIR}/tools/gopeer ${CMAKE_SOURCE_DIR}/tests/interop/pion
         ${PL_PION_CHANNELS})
set_tests_properties(interop.build_pion PROPERTIES LABELS interop TIMEOUT 250 FIXTURES_SETUP pion)
foreach(stack aiortc pion)
  add_test(NAME interop.${stack} COMMAND sh ${CMAKE_SOURCE_DIR}/tests/interop/channels.sh ${stack})
  set_tests_properties(interop.${stack} PROPERTIES LABELS interop RUN_SERIAL ON TIMEOUT 300
    ENVIRONMENT "CHANNEL_PEER=$<TARGET_FILE:channel_peer>;PION_CHANNELS=${PL_PION_CHANNELS}")
endforeach()
set_tests_properties(interop.pion PROPERTIES FIXTURES_REQUIRED pion)

# Both sides are `peerline`, or one of them.
if(TARGET peerline_program)
  add_test(NAME natlab.matrix COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/natlab/matrix)
  set_tests_properties(natlab.matrix PROPERTIES LABELS "natlab;program" RUN_SERIAL ON TIMEOUT 900
    ENVIRONMENT "${PL_LAB_ENVIRONMENT};PEERLINE=$<TARGET_FILE:peerline_program>;LIBNICE_PEER=$<TARGET_FILE:libnice_peer>")
  add_test(NAME natlab.files COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/natlab/files)
  set_tests_properties(natlab.files PROPERTIES LABELS "natlab;program" TIMEOUT 300
    ENVIRONMENT "${PL_LAB_ENVIRONMENT};PEERLINE=$<TARGET_FILE:peerline_program>")
endif()

# Data channels over slow, long and lossy links.
add_executable(natlab_bulk ${CMAKE_SOURCE_DIR}/tests/natlab/bulk.c)
target_link_libraries(natlab_bulk PRIVATE pl_flags peerline)
set_target_properties(natlab_bulk PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME natlab.links COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/natlab/links --rates 10,50
         --rtts 20,100 --losses 0.1 --seconds 8 --check)
set_tests_properties(natlab.links PROPERTIES LABELS natlab RUN_SERIAL ON TIMEOUT 300
  ENVIRONMENT "${PL_LAB_ENVIRONMENT};NATLAB_BULK=$<TARGET_FILE:natlab_bulk>")
