# Load.cmake - bench/relay/ as the program bench-relay: benchmarks and the tests of a server under load run it.
include_guard(GLOBAL)
if(TARGET pl_room_stun)
  file(GLOB load_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/relay/*.c)
  add_executable(bench-relay ${load_sources})
  target_link_libraries(bench-relay PRIVATE pl_flags pl_room_stun pl_room_net)
  set_property(TARGET bench-relay PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
