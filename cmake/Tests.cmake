# Tests.cmake - tests/<folder>/<name>_test.c becomes the ctest <folder>.<name>, linked with that room.
# Simulations live in sim/ and are linked with every test.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sim/*.c)
add_library(pl_sim STATIC EXCLUDE_FROM_ALL ${sim_sources})
target_include_directories(pl_sim PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(pl_sim PRIVATE pl_flags PUBLIC pl_room_base)

# Peers that others wrote; only tests link them.
set(PL_TEST_USES_sctp usrsctp)
set(PL_TEST_USES_srtp srtp2)

foreach(room IN LISTS PL_ROOMS)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${room}/*_test.c)
  file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${room}/*.c)
  list(FILTER helpers EXCLUDE REGEX "_test\\.c$")
  foreach(source IN LISTS tests)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_test$" "" name ${name})
    add_executable(test_${room}_${name} ${source} ${helpers})
    target_include_directories(test_${room}_${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${room}_${name} PRIVATE pl_flags pl_sim pl_room_${room} PkgConfig::CMOCKA
                          ${PL_TEST_USES_${room}})
    target_compile_definitions(test_${room}_${name} PRIVATE PL_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
    set_property(TARGET test_${room}_${name} PROPERTY RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${room}.${name} COMMAND test_${room}_${name})
    set_property(TEST ${room}.${name} PROPERTY TIMEOUT 300)
  endforeach()
endforeach()
