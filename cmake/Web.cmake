# Web.cmake - builds web/ into the server room.
if(TARGET pl_o_server)
  file(GLOB web_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/*)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/web_files.c
    COMMAND ${CMAKE_COMMAND} -DWEB_DIR=${CMAKE_SOURCE_DIR}/web -DOUT=${CMAKE_BINARY_DIR}/web_files.c
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedWeb.cmake
    DEPENDS ${web_files} ${CMAKE_SOURCE_DIR}/cmake/EmbedWeb.cmake
    COMMENT "Embedding web/" VERBATIM)
  target_sources(pl_o_server PRIVATE ${CMAKE_BINARY_DIR}/web_files.c)
endif()
