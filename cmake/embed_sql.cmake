# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
# Writes OUTPUT, a C file that holds the text of INPUT as `const char NAME[]`. Run with cmake -P.
file(READ "${INPUT}" text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\r" "" text "${text}")
string(REPLACE "\n" "\\n\"\n  \"" text "${text}")
cmake_path(GET INPUT FILENAME file)
file(WRITE "${OUTPUT}" "/* Made from ${file} by cmake/embed_sql.cmake. */\nextern const char ${NAME}[];\nconst char ${NAME}[] =\n  \"${text}\";\n")
