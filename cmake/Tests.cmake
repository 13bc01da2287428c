# Tests.cmake - everything ctest runs:
#   <folder>.<name>     tests/<folder>/<name>_test.c, linked with that room and the simulations of sim/
#   <folder>.<name>     tests/<folder>/<name>.test.mjs (node --test) and <name>.test.sh, given the built program in
#                       PEERLINE; one at a time
#   tools.* packaging.* docs.*  the floors, the exported symbols, what gets installed, what documents say
# Labels: unit (C tests), threaded (those among them whose rooms have threads), and the folder's name. The targets
# tests_unit and tests_threaded build what these labels run.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
include(cmake/Sim.cmake)
include(cmake/Load.cmake)

# Peers that others wrote; only tests link them.
set(PL_TEST_USES_sctp usrsctp)
set(PL_TEST_USES_srtp srtp2)
# Descriptions of real peers come as SDP.
set(PL_TEST_USES_jingle pl_room_sdp)
set(PL_TEST_USES_alloc pl_room_session)
# WHIP wants a server.
if(TARGET pl_room_server)
  set(PL_TEST_USES_session pl_room_server)
endif()
# Our own TURN server, for tests of its clients named relay_*; left out together with the program.
if(TARGET pl_room_relay)
  set(PL_TEST_USES_turn pl_room_relay)
  set(PL_TEST_USES_ice pl_room_relay)
endif()

set(PL_THREADED_ROOMS base crypto net relay peer call signal session server)
add_custom_target(tests_unit)
add_custom_target(tests_threaded)

# tests/alloc belongs to no room: whole stacks with failing allocations.
foreach(room IN LISTS PL_ROOMS ITEMS alloc)
  set(labels unit ${room})
  set(linked ${room})
  if(room STREQUAL "alloc")
    set(linked server)
  endif()
  if(room IN_LIST PL_THREADED_ROOMS)
    list(APPEND labels threaded)
  endif()
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${room}/*_test.c)
  if(NOT TARGET pl_room_relay)
    list(FILTER tests EXCLUDE REGEX "/(turn|ice)/relay_[a-z0-9_]*_test\\.c$")
  endif()
  if(NOT TARGET pl_room_server)
    list(FILTER tests EXCLUDE REGEX "/session/whip_test\\.c$")
  endif()
  file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${room}/*.c)
  list(FILTER helpers EXCLUDE REGEX "_test\\.c$")
  set(help)
  if(helpers AND tests) # compiled once for all tests of the folder
    add_library(help_${room} OBJECT ${helpers})
    target_include_directories(help_${room} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(help_${room} PRIVATE pl_flags pl_sim pl_room_${linked} PkgConfig::CMOCKA
                          ${PL_TEST_USES_${room}})
    target_compile_definitions(help_${room} PRIVATE PL_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
    set(help $<TARGET_OBJECTS:help_${room}>)
  endif()
  foreach(source IN LISTS tests)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_test$" "" name ${name})
    add_executable(test_${room}_${name} ${source} ${help})
    target_include_directories(test_${room}_${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${room}_${name} PRIVATE pl_flags pl_sim pl_room_${linked} PkgConfig::CMOCKA
                          ${PL_TEST_USES_${room}})
    target_compile_definitions(test_${room}_${name} PRIVATE PL_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
    set_property(TARGET test_${room}_${name} PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${room}.${name} COMMAND test_${room}_${name})
    set_tests_properties(${room}.${name} PROPERTIES TIMEOUT 300 LABELS "${labels}")
    foreach(label unit threaded)
      if(label IN_LIST labels)
        add_dependencies(tests_${label} test_${room}_${name})
      endif()
    endforeach()
  endforeach()
endforeach()

# Scripts see the program as a user does. They share browsers and ports, so they run alone.
if(TARGET peerline_program)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/*.test.mjs ${CMAKE_SOURCE_DIR}/tests/*/*.test.sh)
  foreach(script IN LISTS scripts)
    get_filename_component(name ${script} NAME_WE)
    get_filename_component(folder ${script} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    if(script MATCHES "\\.mjs$")
      set(command node --test ${script})
    else()
      set(command sh ${script})
    endif()
    add_test(NAME ${folder}.${name} COMMAND ${command} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests/${folder})
    set_tests_properties(${folder}.${name} PROPERTIES TIMEOUT 300 RUN_SERIAL ON LABELS "program;${folder}"
      ENVIRONMENT "PEERLINE=$<TARGET_FILE:peerline_program>;PEERLINE_LOAD=$<TARGET_FILE:bench-relay>;CHANNEL_PEER=$<TARGET_FILE:channel_peer>;STROPHE_PEER=$<TARGET_FILE:strophe_peer>;PL_ARTIFACTS=${CMAKE_BINARY_DIR}/artifacts")
  endforeach()
endif()

find_package(Python3 REQUIRED COMPONENTS Interpreter)
include(cmake/Lab.cmake)
add_test(NAME tools.floors COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/floors)
set_tests_properties(tools.floors PROPERTIES LABELS tools TIMEOUT 300 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
add_test(NAME docs.names COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/docs/names.py ${CMAKE_SOURCE_DIR})
set_tests_properties(docs.names PROPERTIES LABELS tools)
if(NOT PL_SANITIZE)
  add_test(NAME packaging.symbols COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/packaging/symbols.py
           ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR})
  add_test(NAME packaging.install COMMAND sh ${CMAKE_SOURCE_DIR}/tests/packaging/install.sh ${CMAKE_SOURCE_DIR}
           ${CMAKE_BINARY_DIR})
  set_tests_properties(packaging.symbols packaging.install PROPERTIES LABELS packaging TIMEOUT 300)
endif()
