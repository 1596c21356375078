# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Installs libraries, headers, the CMake package `trainmon` and the pkg-config files.
include(CMakePackageConfigHelpers)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/trainmon")

set(installed trainmon)
if(TARGET trainmon-serve)
  list(APPEND installed trainmon-serve)
endif()
install(TARGETS ${installed} EXPORT trainmon)
install(TARGETS trainmon-sqlite EXPORT trainmon LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/trainmon")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/trainmon" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT trainmon NAMESPACE trainmon:: FILE trainmon-targets.cmake DESTINATION "${package_folder}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/trainmon-config.cmake.in" trainmon-config.cmake
  INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file(trainmon-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/trainmon-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/trainmon-config-version.cmake"
  DESTINATION "${package_folder}")

# In a static build the program links what we link, so it moves from Requires.private to Requires.
set(requires_field "Requires.private")
set(static_libs "")
set(static_serve_requires "")
if(NOT BUILD_SHARED_LIBS)
  set(requires_field "Requires")
  set(static_libs " -pthread -lm")
  set(static_serve_requires ", libwebsockets, zlib")
endif()
# Relative to the .pc file, so that an installed tree can be moved; folders given as absolute paths stay.
file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" up "${up}")
set(pc_prefix "\${pcfiledir}/${up}")
set(pc_include "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
set(pc_library "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pc_library "${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_include "${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(name IN LISTS installed)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in" "${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
