# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# libtrainmon-serve: a wing on top of libtrainmon. The page's files are compiled in by lib/serve/*.S with .incbin.
enable_language(ASM)
pkg_check_modules(TRAINMON_WEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets>=4.1)
set(serve_needs PkgConfig::TRAINMON_WEBSOCKETS ${core_needs})

set(page_folder "${PROJECT_SOURCE_DIR}/examples/dashboard/dist")
file(GLOB_RECURSE page_files CONFIGURE_DEPENDS "${page_folder}/*")
file(GLOB assembly serve/*.S)
if(assembly)
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS "${page_files}")
endif()

trainmon_objects(trainmon_serve_objects ${serve_sources})
target_link_libraries(trainmon_serve_objects PRIVATE ${serve_needs})
# -I for #include and .incbin alike, so that an assembly file names page files relative to dist.
target_compile_options(trainmon_serve_objects PRIVATE
  "$<$<COMPILE_LANGUAGE:ASM>:SHELL:-I \"${page_folder}\" -Wa,-I,\"${page_folder}\">")
target_compile_definitions(trainmon_serve_objects PRIVATE "$<$<COMPILE_LANGUAGE:ASM>:TMON_PAGE_FOLDER=\"${page_folder}\">")

add_library(trainmon-serve $<TARGET_OBJECTS:trainmon_serve_objects>)
trainmon_shipped(trainmon-serve serve)
target_link_libraries(trainmon-serve PUBLIC trainmon PRIVATE ${serve_needs})

if(TRAINMON_BUILD_TESTS)
  add_library(trainmon_serve_test STATIC $<TARGET_OBJECTS:trainmon_serve_objects>)
  trainmon_target(trainmon_serve_test)
  set_target_properties(trainmon_serve_test PROPERTIES LINKER_LANGUAGE C)
  target_link_libraries(trainmon_serve_test PUBLIC trainmon_test ${serve_needs})
endif()
