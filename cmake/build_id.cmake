# Writes generated/alambic/cli/build.h: the version, and a digest of all headers, since the options
# that pass between the program and libalambic_torch.so are defined in many rooms. Two files compile
# again when a header changes.
#
# Run by a build as `cmake -P build_id.cmake -- FILE VERSION COMPILER HEADER…`.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  set(words)
  math(EXPR last "${CMAKE_ARGC} - 1")
  foreach(i RANGE ${last})
    list(APPEND words "${CMAKE_ARGV${i}}")
  endforeach()
  list(FIND words "--" at)
  math(EXPR at "${at} + 1")
  list(SUBLIST words ${at} -1 words)
  list(POP_FRONT words file version compiler)
  set(digests "${compiler}")
  foreach(header ${words})
    file(SHA256 "${header}" digest)
    string(APPEND digests " ${digest}")
  endforeach()
  string(SHA256 digest "${digests}")
  string(SUBSTRING ${digest} 0 16 digest)
  file(WRITE "${file}" "#pragma once

namespace alambic {
/// The program's and the library's must be equal.
inline constexpr const char* kBuild = \"alambic ${version}, build ${digest}\";
}  // namespace alambic
")
  return()
endif()

file(GLOB_RECURSE _headers CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/alambic/*.h" "${PROJECT_SOURCE_DIR}/alambic/*.def")
set(_build_header "${CMAKE_BINARY_DIR}/generated/alambic/cli/build.h")
add_custom_command(OUTPUT "${_build_header}" VERBATIM
  COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_LIST_DIR}/build_id.cmake" -- "${_build_header}"
          "${PROJECT_VERSION}"
          "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${ALAMBIC_SANITIZE}" ${_headers}
  DEPENDS "${CMAKE_CURRENT_LIST_DIR}/build_id.cmake" ${_headers})
add_custom_target(alambic_build_id DEPENDS "${_build_header}")
