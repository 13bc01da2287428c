# Libraries.cmake - libpeerline (connection), libpeerline-media (engines), libpeerline-signal (how descriptions
# travel) and the program, from the objects that Rooms.cmake made of each column of FLOORS.
#
# What a shared library shows is written in version scripts, made here from the headers:
#   PEERLINE_0                    functions that include/peerline/ declares with PL_API: the promise
#   PEERLINE_PRIVATE_<version>    what headers in src/ mark with PL_SHARED_BEGIN: stateful rooms that our other two
#                                 libraries must share with libpeerline (the log's sink, the loop, the media port).
#                                 The full version in its name keeps libraries of different releases apart.
# Rooms without state (base, crypto, desc, sdp ...) are linked into each library that needs them, hidden.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The names of all PL_API functions of the public headers.
function(pl_public_names out)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/peerline/*.h)
  set(names "")
  foreach(header IN LISTS headers)
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(READ ${header} text)
    string(REGEX REPLACE ";" "," text "${text}")
    string(REGEX MATCHALL "PL_API[^(,]*[ *](pl_[a-z0-9_]+)\\(" found "${text}")
    foreach(declaration IN LISTS found)
      string(REGEX REPLACE "^.*[ *](pl_[a-z0-9_]+)\\($" "\\1" name "${declaration}")
      list(APPEND names ${name})
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# Writes only when something changes, so that a new comment in a header links nothing again.
function(pl_write_version_script file node private_node)
  pl_public_names(names)
  list(JOIN names ";\n    " lines)
  set(text "${node} {\n  global:\n    ${lines};\n  local:\n    *;\n};\n")
  if(private_node)
    string(APPEND text "${private_node} {\n  global:\n    pl_*;\n};\n")
  endif()
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
endfunction()

# pl_library(NAME ROLE OBJECTS): shared and static. ROLE (core, media, signal) is its name for others:
# peerline::peerline, peerline::media, peerline::signal.
function(pl_library name role objects)
  string(TOUPPER ${name} node)
  string(REPLACE "-" "_" node ${node})
  set(script ${CMAKE_BINARY_DIR}/${name}.map)
  set(private_node "")
  if(role STREQUAL "core")
    set(private_node PEERLINE_PRIVATE_${PROJECT_VERSION})
  endif()
  pl_write_version_script(${script} ${node}_0 "${private_node}")

  add_library(${name} SHARED ${objects})
  add_library(${name}_static STATIC ${objects})
  if(role STREQUAL "core")
    set(role peerline)
  endif()
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME ${role}
                        LINKER_LANGUAGE C LINK_DEPENDS ${script})
  set_target_properties(${name}_static PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
  add_library(peerline::${role} ALIAS ${name})
  foreach(target ${name} ${name}_static)
    target_include_directories(${target} INTERFACE
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  target_link_options(${name} PRIVATE -Wl,--version-script=${script} -Wl,-Bsymbolic-functions)
  if(NOT PL_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
endfunction()

# Without state, so each library may have its own hidden copy of what it uses.
set(PL_STATELESS_ROOMS base crypto rtp desc sdp)

# pl_library_on_top(NAME ROLE OBJECTS LIBS...): one that stands on libpeerline. The hidden copies may use what
# the rooms they are made of use.
function(pl_library_on_top name role objects)
  pl_library(${name} ${role} "${objects}")
  set(rooms "")
  foreach(room IN LISTS PL_STATELESS_ROOMS)
    if(TARGET pl_room_${room})
      list(APPEND rooms $<TARGET_FILE:pl_room_${room}>)
      add_dependencies(${name} pl_room_${room})
    endif()
  endforeach()
  # libpeerline first: an archive member is taken only for what the library does not show.
  target_link_libraries(${name} PRIVATE peerline ${rooms} ${ARGN} ${PL_core_LIBS})
  target_link_libraries(${name}_static PUBLIC peerline_static ${ARGN})
endfunction()

pl_library(peerline core "${PL_core_OBJECTS}")
target_link_libraries(peerline PRIVATE ${PL_core_LIBS})
target_link_libraries(peerline_static PUBLIC ${PL_core_LIBS})
set(PL_LIBRARIES peerline)
foreach(role media signal)
  if(PL_${role}_OBJECTS)
    pl_library_on_top(peerline-${role} ${role} "${PL_${role}_OBJECTS}" ${PL_${role}_LIBS})
    list(APPEND PL_LIBRARIES peerline-${role})
  endif()
endforeach()

# The program holds everything and needs none of the shared ones.
if(PL_program_OBJECTS AND TARGET pl_o_cli)
  add_executable(peerline_program ${PL_program_OBJECTS})
  set_target_properties(peerline_program PROPERTIES OUTPUT_NAME peerline RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                        POSITION_INDEPENDENT_CODE ON LINKER_LANGUAGE C)
  target_link_options(peerline_program PRIVATE -pie)
  foreach(library signal media)
    if(TARGET peerline-${library}_static)
      target_link_libraries(peerline_program PRIVATE peerline-${library}_static)
    endif()
  endforeach()
  target_link_libraries(peerline_program PRIVATE peerline_static ${PL_program_LIBS})
endif()
