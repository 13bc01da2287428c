# Bench.cmake - bench/<room>_<name>_bench.c becomes bench/bench_<room>_<name>, linked with that room; folders become
# programs beside peerline.
include(cmake/Load.cmake)
include(cmake/Sim.cmake)

# Peers that others wrote; only benches link them, to be measured in the same run. Left out where missing.
find_library(PL_SRTP2_LIBRARY srtp2)
if(PL_SRTP2_LIBRARY)
  set(PL_BENCH_USES_srtp ${PL_SRTP2_LIBRARY})
  set(PL_BENCH_DEFINES_srtp PL_BENCH_SRTP2)
endif()
find_library(PL_USRSCTP_LIBRARY usrsctp)
if(PL_USRSCTP_LIBRARY)
  set(PL_BENCH_USES_sctp ${PL_USRSCTP_LIBRARY})
  set(PL_BENCH_DEFINES_sctp PL_BENCH_USRSCTP)
endif()

file(GLOB benches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*_bench.c)
foreach(source IN LISTS benches)
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_bench$" "" name ${name})
  string(REGEX REPLACE "_.*" "" room ${name})
  if(NOT TARGET pl_room_${room})
    continue()
  endif()
  file(GLOB more CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/${name}/*.c) # what would make the one file too long
  add_executable(bench_${name} ${source} ${more})
  target_include_directories(bench_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(bench_${name} PRIVATE pl_flags pl_sim pl_room_${room} ${PL_BENCH_USES_${room}})
  target_compile_definitions(bench_${name} PRIVATE ${PL_BENCH_DEFINES_${room}})
  set_property(TARGET bench_${name} PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()

# bench/data/ is the program bench-data beside peerline, linked with what applications link.
file(GLOB data_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/data/*.c)
add_executable(bench-data ${data_sources})
target_link_libraries(bench-data PRIVATE pl_flags peerline_static)
set_property(TARGET bench-data PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# bench/signal/ is bench-signal: peers of a server of rooms; what it looks at a server with is bench/relay/'s.
if(TARGET pl_room_signal)
  file(GLOB signal_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/signal/*.c)
  add_executable(bench-signal ${signal_sources} ${CMAKE_SOURCE_DIR}/bench/relay/load.c)
  target_link_libraries(bench-signal PRIVATE pl_flags pl_room_signal)
  set_property(TARGET bench-signal PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
