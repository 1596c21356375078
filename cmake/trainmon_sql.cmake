# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# trainmon_embed_sql(OUT FILE…) turns each STEM.sql into a C file that defines `const char tmon_sql_STEM[]`; OUT lists the C files.
set(trainmon_embed_script "${CMAKE_CURRENT_LIST_DIR}/embed_sql.cmake")

function(trainmon_embed_sql out)
  set(made "")
  foreach(input IN LISTS ARGN)
    cmake_path(GET input STEM LAST_ONLY stem)
    string(MAKE_C_IDENTIFIER "tmon_sql_${stem}" name)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/sql/${stem}.c")
    add_custom_command(OUTPUT "${output}"
      COMMAND "${CMAKE_COMMAND}" "-DINPUT=${input}" "-DOUTPUT=${output}" "-DNAME=${name}" -P "${trainmon_embed_script}"
      DEPENDS "${input}" "${trainmon_embed_script}" COMMENT "Embedding ${stem}.sql" VERBATIM)
    list(APPEND made "${output}")
  endforeach()
  # ISO C promises string literals of 4,095 bytes only; every compiler we build with takes longer ones.
  set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  set(${out} "${made}" PARENT_SCOPE)
endfunction()
