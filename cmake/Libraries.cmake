# Libraries.cmake - libpeerline (connection), -media (engines), -signal (how descriptions travel), program.
include(GNUInstallDirs)

# pl_library(NAME KIND PRIVATE-LIBS...): shared and static from the objects of a column of FLOORS.
function(pl_library name objects)
  add_library(${name} SHARED ${objects})
  add_library(${name}_static STATIC ${objects})
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
  set_target_properties(${name}_static PROPERTIES OUTPUT_NAME ${name})
  foreach(target ${name} ${name}_static)
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  endforeach()
endfunction()

set(PL_CORE_LIBS PkgConfig::OPENSSL PkgConfig::UV Threads::Threads m)
pl_library(peerline "${PL_core_OBJECTS}")
target_link_libraries(peerline PRIVATE ${PL_CORE_LIBS})
target_link_options(peerline PRIVATE -Wl,--no-undefined)
target_link_libraries(peerline_static PUBLIC ${PL_CORE_LIBS})
