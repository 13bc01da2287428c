# Sim.cmake - sim/ as a library, for tests and fuzz targets. What it simulates is linked by whoever uses it.
include_guard(GLOBAL)
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sim/*.c)
add_library(pl_sim STATIC EXCLUDE_FROM_ALL ${sim_sources})
target_include_directories(pl_sim PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(pl_sim PRIVATE pl_flags PUBLIC pl_room_base)
