# Writes generated/alambic/provenance/build_facts.h: the commit that a build is of, with "+changes"
# where tracked files differ, and the compiler's flags, for the record of a run. Looked at in every
# build, written where it changed; one file includes it.
#
# Run by a build as `cmake -P build_facts.cmake -- FILE SOURCE FLAGS`.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  math(EXPR last "${CMAKE_ARGC} - 1")
  math(EXPR first "${CMAKE_ARGC} - 3")
  set(file "${CMAKE_ARGV${first}}")
  math(EXPR second "${CMAKE_ARGC} - 2")
  set(source "${CMAKE_ARGV${second}}")
  string(REPLACE "\"" "\\\"" flags "${CMAKE_ARGV${last}}")
  set(commit "")
  find_program(git git)
  if(git AND EXISTS "${source}/.git")
    execute_process(COMMAND "${git}" -C "${source}" rev-parse HEAD OUTPUT_VARIABLE commit
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND "${git}" -C "${source}" diff --quiet HEAD RESULT_VARIABLE changed ERROR_QUIET)
    if(commit AND NOT changed EQUAL 0)
      string(APPEND commit "+changes")
    endif()
  endif()
  set(text "#pragma once

namespace alambic {
/// Empty: not known.
inline constexpr const char* kCommit = \"${commit}\";
inline constexpr const char* kBuildFlags = \"${flags}\";
}  // namespace alambic
")
  set(old "")
  if(EXISTS "${file}")
    file(READ "${file}" old)
  endif()
  if(NOT old STREQUAL text)
    file(WRITE "${file}" "${text}")
  endif()
  return()
endif()

string(TOUPPER "${CMAKE_BUILD_TYPE}" _type)
string(STRIP "${CMAKE_BUILD_TYPE} ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${_type}}" _flags)
if(ALAMBIC_SANITIZE)
  string(APPEND _flags " -fsanitize=${ALAMBIC_SANITIZE}")
endif()
set(_facts_header "${CMAKE_BINARY_DIR}/generated/alambic/provenance/build_facts.h")
add_custom_target(alambic_build_facts VERBATIM BYPRODUCTS "${_facts_header}"
  COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_LIST_DIR}/build_facts.cmake" -- "${_facts_header}"
          "${PROJECT_SOURCE_DIR}" "${_flags}")
