# EmbedWeb.cmake - the files of web/ as C arrays, so that the program stands alone.
#     cmake -DWEB_DIR=web -DOUT=web_files.c -P EmbedWeb.cmake
file(GLOB files RELATIVE ${WEB_DIR} ${WEB_DIR}/*)
list(SORT files)
set(types
  html "text/html\\; charset=utf-8" css "text/css\\; charset=utf-8" js "text/javascript\\; charset=utf-8"
  svg "image/svg+xml" png "image/png" webmanifest "application/manifest+json" txt "text/plain\\; charset=utf-8")
set(arrays "")
set(rows "")
set(n 0)
foreach(name IN LISTS files)
  string(REGEX REPLACE ".*\\." "" extension ${name})
  list(FIND types ${extension} at)
  if(at EQUAL -1 OR IS_DIRECTORY ${WEB_DIR}/${name})
    continue()
  endif()
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  file(READ ${WEB_DIR}/${name} hex HEX)
  file(SHA256 ${WEB_DIR}/${name} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(REGEX REPLACE "(................................................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND arrays "static const uint8_t file_${n}[] = {\n${hex}\n};\n")
  string(APPEND rows "    { \"/${name}\", \"${type}\", file_${n}, sizeof file_${n}, \"\\\"${hash}\\\"\" },\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT} "/* Made from web/ by cmake/EmbedWeb.cmake. */\n#include \"server/web.h\"\n\n${arrays}\n"
  "const pl_web_file pl_web_files[] = {\n${rows}};\nconst size_t pl_web_n_files = ${n};\n")
