# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# trainmon_sqlite.so: an extension that a program loads into its own SQLite, so it links none, and brings along the little it needs of ours.
add_library(trainmon-sqlite MODULE
  sqlext/points.c sqlext/scan.c series/chunk.c series/codec_int.c series/codec_value.c series/delta.c
  util/alloc.c util/buffer.c util/error.c util/text.c util/text_time.c)
trainmon_target(trainmon-sqlite)
add_library(trainmon::sqlite ALIAS trainmon-sqlite)
set_target_properties(trainmon-sqlite PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME trainmon_sqlite EXPORT_NAME sqlite)
target_include_directories(trainmon-sqlite PRIVATE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/lib" ${TRAINMON_SQLITE3_INCLUDE_DIRS})
target_link_libraries(trainmon-sqlite PRIVATE m)
# Nothing but the entry point is visible: the host program may have libtrainmon loaded too.
set(sqlext_map "${CMAKE_CURRENT_SOURCE_DIR}/sqlext/exports.map")
target_link_options(trainmon-sqlite PRIVATE "-Wl,--version-script=${sqlext_map}")
set_property(TARGET trainmon-sqlite APPEND PROPERTY LINK_DEPENDS "${sqlext_map}")
