# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# libtrainmon-serve: a wing on top of libtrainmon. The page's files are compiled in by serve/assets.cmake.
enable_language(ASM)
pkg_check_modules(TRAINMON_WEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets>=4.1)
pkg_check_modules(TRAINMON_ZLIB REQUIRED IMPORTED_TARGET zlib)
set(serve_needs PkgConfig::TRAINMON_WEBSOCKETS PkgConfig::TRAINMON_ZLIB ${core_needs})

include(${CMAKE_CURRENT_LIST_DIR}/serve/assets.cmake)
set_source_files_properties(${asset_sources} PROPERTIES GENERATED TRUE)

trainmon_objects(trainmon_serve_objects ${serve_sources} ${asset_sources})
target_link_libraries(trainmon_serve_objects PRIVATE ${serve_needs})
target_include_directories(trainmon_serve_objects PRIVATE "${CMAKE_CURRENT_LIST_DIR}")

add_library(trainmon-serve $<TARGET_OBJECTS:trainmon_serve_objects>)
trainmon_shipped(trainmon-serve serve)
target_link_libraries(trainmon-serve PUBLIC trainmon PRIVATE ${serve_needs})

if(TRAINMON_BUILD_TESTS)
  add_library(trainmon_serve_test STATIC $<TARGET_OBJECTS:trainmon_serve_objects>)
  trainmon_target(trainmon_serve_test)
  set_target_properties(trainmon_serve_test PROPERTIES LINKER_LANGUAGE C)
  target_link_libraries(trainmon_serve_test PUBLIC trainmon_test ${serve_needs})
endif()
