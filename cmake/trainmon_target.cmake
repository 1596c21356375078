# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# What every target of ours has in common: language, warnings, instrumentation.

set(trainmon_sanitizers none address thread fuzz)
if(NOT TRAINMON_SANITIZER IN_LIST trainmon_sanitizers)
  message(FATAL_ERROR "TRAINMON_SANITIZER is '${TRAINMON_SANITIZER}', expected one of: ${trainmon_sanitizers}")
endif()
if(TRAINMON_SANITIZER STREQUAL "fuzz" AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "TRAINMON_SANITIZER=fuzz needs clang, found ${CMAKE_C_COMPILER_ID}")
endif()

# Under a sanitizer gcc's flow analysis warns of what cannot happen (its manual says so), hence errors only in plain builds.
set(werror "")
if(TRAINMON_WARNINGS_AS_ERRORS AND TRAINMON_SANITIZER STREQUAL "none")
  set(werror -Werror)
endif()
set(trainmon_warnings
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  ${werror})

set(trainmon_instrumentation "")
if(TRAINMON_SANITIZER STREQUAL "address")
  set(trainmon_instrumentation -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(TRAINMON_SANITIZER STREQUAL "thread")
  set(trainmon_instrumentation -fsanitize=thread -fno-omit-frame-pointer)
elseif(TRAINMON_SANITIZER STREQUAL "fuzz")
  set(trainmon_instrumentation
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()

# Extensions are on only because -std=c11 hides POSIX from the system's headers; -Wpedantic still refuses GNU syntax. That the public
# headers are plain C11 is tested.
function(trainmon_target target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
    C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:C,CXX>:${trainmon_warnings}>" "$<$<COMPILE_LANGUAGE:C,CXX>:${trainmon_instrumentation}>")
  target_link_options(${target} PRIVATE ${trainmon_instrumentation})
endfunction()
