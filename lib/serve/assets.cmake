# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Makes asset_table.c and asset_data.S from the files of the built page. Two ways to run it: included from lib/serve.cmake it adds the build
# rule and sets asset_sources; as a script (cmake -DPAGE=… -DOUT=… -DNOT_BUILT=… -DOPENAPI=… -P assets.cmake) it writes the two files.
cmake_minimum_required(VERSION 3.25)
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(page_folder "${PROJECT_SOURCE_DIR}/examples/dashboard/dist")
  set(asset_folder "${CMAKE_CURRENT_BINARY_DIR}/assets")
  file(GLOB_RECURSE page_files CONFIGURE_DEPENDS "${page_folder}/*")
  set(asset_sources "${asset_folder}/asset_table.c" "${asset_folder}/asset_data.S")
  add_custom_command(OUTPUT ${asset_sources}
    COMMAND "${CMAKE_COMMAND}" "-DPAGE=${page_folder}" "-DOUT=${asset_folder}" "-DNOT_BUILT=${CMAKE_CURRENT_LIST_DIR}/not_built.html"
            "-DOPENAPI=${CMAKE_CURRENT_LIST_DIR}/openapi.json"
            -P "${CMAKE_CURRENT_LIST_DIR}/assets.cmake"
    DEPENDS ${page_files} "${CMAKE_CURRENT_LIST_DIR}/assets.cmake" "${CMAKE_CURRENT_LIST_DIR}/not_built.html"
            "${CMAKE_CURRENT_LIST_DIR}/openapi.json"
    COMMENT "Embedding the page" VERBATIM)
  return()
endif()

set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_png "image/png")
set(type_ico "image/x-icon")
set(type_json "application/json")
set(type_webmanifest "application/manifest+json")
set(type_woff2 "font/woff2")
set(type_txt "text/plain; charset=utf-8")

file(MAKE_DIRECTORY "${OUT}")
find_program(gzip gzip)
file(GLOB_RECURSE files RELATIVE "${PAGE}" "${PAGE}/*")
list(SORT files)
if(NOT "index.html" IN_LIST files)
  set(files index.html)
  cmake_path(GET NOT_BUILT PARENT_PATH PAGE)
  configure_file("${NOT_BUILT}" "${OUT}/index.html" COPYONLY)
  set(PAGE "${OUT}")
endif()

# The description of the routes is served beside the page, whatever the page is.
list(REMOVE_ITEM files openapi.json)
list(APPEND files openapi.json)

set(declarations "")
set(rows "")
set(data "/* Made by assets.cmake. */\n  .section .note.GNU-stack,\"\",%progbits\n  .section .rodata\n")
set(number 0)
foreach(file IN LISTS files)
  cmake_path(GET file EXTENSION LAST_ONLY extension)
  string(REGEX REPLACE "^\\." "" extension "${extension}")
  if(NOT DEFINED "type_${extension}")
    continue()
  endif()
  set(place "${PAGE}/${file}")
  if(file STREQUAL "openapi.json")
    set(place "${OPENAPI}")
  endif()
  set(hashed false)
  if(file MATCHES "^assets/.*-[A-Za-z0-9_-]+\\.[a-z0-9]+$")
    set(hashed true)
  endif()
  file(SHA256 "${place}" tag)
  string(SUBSTRING "${tag}" 0 32 tag)
  set(packed "")
  if(gzip AND extension MATCHES "^(html|js|css|svg|json|webmanifest|txt)$")
    set(packed "${OUT}/${number}.gz")
    execute_process(COMMAND "${gzip}" -9nc "${place}" OUTPUT_FILE "${packed}" RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "gzip could not pack ${file}")
    endif()
  endif()
  foreach(kind plain packed)
    set(name "tmon_asset_${number}_${kind}")
    string(APPEND declarations "extern const unsigned char ${name}[] __attribute__((visibility(\"hidden\")));\n"
      "extern const unsigned char ${name}_end[] __attribute__((visibility(\"hidden\")));\n")
    string(APPEND data "  .globl ${name}\n  .hidden ${name}\n  .globl ${name}_end\n  .hidden ${name}_end\n  .balign 16\n${name}:\n")
    if(kind STREQUAL "plain")
      string(APPEND data "  .incbin \"${place}\"\n")
    elseif(packed)
      string(APPEND data "  .incbin \"${packed}\"\n")
    endif()
    string(APPEND data "${name}_end:\n  .byte 0\n")
  endforeach()
  string(APPEND rows "  {\"/${file}\", \"${type_${extension}}\", \"${tag}\", ${hashed}, tmon_asset_${number}_plain, tmon_asset_${number}_plain_end,\n"
    "   tmon_asset_${number}_packed, tmon_asset_${number}_packed_end},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUT}/asset_data.S" "${data}")
file(WRITE "${OUT}/asset_table.c" "/* Made by assets.cmake. */\n#include \"serve/assets.h\"\n\n#include <stddef.h>\n\n${declarations}\n"
  "const tmon_asset tmon_assets[] = {\n${rows}  {NULL, NULL, NULL, false, NULL, NULL, NULL, NULL},\n};\n")
