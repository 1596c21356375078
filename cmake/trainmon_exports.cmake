# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# trainmon_export_map(TARGET): the public calls of the headers get the symbol version TRAINMON_0, the utilities that the wings share get
# TRAINMON_PRIVATE. A wing with a second copy of the utilities would have its own last error, allocator and fork handlers, so a failed
# tmon_server_open would leave tmon_error_message empty. A private version says to everyone else: keep off, it changes without notice.
include(CheckLinkerFlag)

function(trainmon_export_map target)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/probe.map" "PROBE_0 { local: *; };\n")
  check_linker_flag(C "-Wl,--version-script=${CMAKE_CURRENT_BINARY_DIR}/probe.map" TRAINMON_HAVE_VERSION_SCRIPT)
  if(NOT TRAINMON_HAVE_VERSION_SCRIPT)
    return()
  endif()
  file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/trainmon/*.h")
  set(names "")
  foreach(header IN LISTS headers)
    file(STRINGS "${header}" lines REGEX "^TMON_API ")
    foreach(line IN LISTS lines)
      if(line MATCHES "(tmon_[a-z0-9_]+)\\(")
        string(APPEND names "    ${CMAKE_MATCH_1};\n")
      endif()
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
  endforeach()
  set(map "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(CONFIGURE OUTPUT "${map}" @ONLY
    CONTENT "TRAINMON_0 {\n  global:\n${names}};\nTRAINMON_PRIVATE {\n  global:\n    tmon_*;\n  local:\n    *;\n};\n")
  # Symbolic: our own calls bind inside the library, as cheap as hidden ones and safe from a program that uses the same names.
  target_link_options(${target} PRIVATE "-Wl,--version-script=${map}" -Wl,-Bsymbolic)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${map}")
endfunction()
