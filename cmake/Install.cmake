# Install.cmake - headers, libraries, pkg-config and CMake package files, the program with its man page.
set(PL_STATIC_LIBRARIES ${PL_LIBRARIES})
list(TRANSFORM PL_STATIC_LIBRARIES APPEND _static)
install(TARGETS ${PL_LIBRARIES} EXPORT peerline-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${PL_STATIC_LIBRARIES} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/peerline DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/share/media DESTINATION ${CMAKE_INSTALL_DATADIR}/peerline)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Where the prefix is from where the .pc files are, so that an installed tree may be moved as a whole.
file(RELATIVE_PATH PL_PC_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" PL_PC_UP "${PL_PC_UP}")

# pl_pc(NAME DESCRIPTION REQUIRES REQUIRES-PRIVATE)
function(pl_pc name description requires requires_private)
  set(PL_PC_NAME ${name})
  set(PL_PC_DESCRIPTION ${description})
  set(PL_PC_REQUIRES ${requires})
  set(PL_PC_REQUIRES_PRIVATE ${requires_private})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/peerline.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
pl_pc(peerline "WebRTC peer connections with data channels" "" "openssl >= 3.0, libuv")
if(TARGET peerline-media)
  pl_pc(peerline-media "Voice and video engines for peerline" "peerline = ${PROJECT_VERSION}" "opus, vpx, speexdsp")
endif()
if(TARGET peerline-signal)
  pl_pc(peerline-signal "Calls by an address for peerline: rooms, XMPP, WHIP, copy and paste" "peerline = ${PROJECT_VERSION}"
        "jansson, libcurl, expat, libgsasl, libidn")
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/peerline)
install(EXPORT peerline-targets NAMESPACE peerline:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/peerline-config.cmake.in
  ${CMAKE_BINARY_DIR}/peerline-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/peerline-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/peerline-config.cmake ${CMAKE_BINARY_DIR}/peerline-config-version.cmake
  DESTINATION ${package_dir})

if(TARGET peerline_program)
  install(TARGETS peerline_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # `peerline relay` as a service: its unit, and a configuration to begin with.
  configure_file(${CMAKE_SOURCE_DIR}/share/relay/peerline-relay.service.in ${CMAKE_BINARY_DIR}/peerline-relay.service @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/peerline-relay.service DESTINATION lib/systemd/system)
  install(FILES ${CMAKE_SOURCE_DIR}/share/relay/peerline-relay.sysusers DESTINATION lib/sysusers.d
    RENAME peerline-relay.conf)
  install(FILES ${CMAKE_SOURCE_DIR}/share/relay/relay.conf.example DESTINATION ${CMAKE_INSTALL_DATADIR}/peerline/relay)
  # The program writes its own man page from the tables that also make --help. A sanitizer has no say here.
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/peerline.1
    COMMAND $<TARGET_FILE:peerline_program> --man > ${CMAKE_BINARY_DIR}/peerline.1
    DEPENDS peerline_program VERBATIM)
  add_custom_target(man ALL DEPENDS ${CMAKE_BINARY_DIR}/peerline.1)
  install(FILES ${CMAKE_BINARY_DIR}/peerline.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
