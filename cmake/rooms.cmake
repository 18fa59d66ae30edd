# alambic_rooms(TARGET ROOM…): all sources of these rooms, their sub-rooms included. What lies in a
# room's folder is compiled: no list names it again.
#
# Files called *_cpu.cpp are compiled once per instruction set (isa_kernels.cmake); those in folders
# called cuda/ are a library of their own (cuda.cmake, tests/cuda).
function(alambic_rooms target)
  foreach(room ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/alambic/${room}/*.cpp")
    list(FILTER sources EXCLUDE REGEX "/cuda/[^/]*$")
    set(isa_sources ${sources})
    list(FILTER isa_sources INCLUDE REGEX "_cpu\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_cpu\\.cpp$")
    target_sources(${target} PRIVATE ${sources})
    alambic_unite(${target} ${room} ${sources})
    if(isa_sources)
      alambic_isa_kernels(${room} ${isa_sources})
    endif()
  endforeach()
endfunction()

# Files without a libtorch name: the precompiled header would only slow them down.
function(alambic_without_torch)
  list(TRANSFORM ARGN PREPEND "${PROJECT_SOURCE_DIR}/alambic/")
  set_source_files_properties(${ARGN} TARGET_DIRECTORY alambic_torch
                              PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# alambic_table_headers(ROOM/TABLE MACRO): the header ROOM/TABLE/all.h of the build folder, which
# includes ROOM/TABLE/KIND.h for each line MACRO(KIND, …) of ROOM/TABLE.def.
function(alambic_table_headers table macro)
  set(def "${PROJECT_SOURCE_DIR}/alambic/${table}.def")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${def}")
  file(STRINGS "${def}" lines REGEX "^${macro}\\(")
  set(text "// Made by CMake from alambic/${table}.def.\n#pragma once\n\n")
  foreach(line ${lines})
    string(REGEX REPLACE "^${macro}\\(([a-z0-9_]+),.*" "\\1" kind "${line}")
    string(APPEND text "#include \"alambic/${table}/${kind}.h\"\n")
  endforeach()
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/alambic/${table}/all.h" CONTENT "${text}" @ONLY)
endfunction()
