# alambic_rooms(TARGET ROOM…): all sources of these rooms, their sub-rooms included. What lies in a
# room's folder is compiled: no list names it again.
#
# Files called *_cpu.cpp are compiled once per instruction set (isa_kernels.cmake).
function(alambic_rooms target)
  foreach(room ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/alambic/${room}/*.cpp")
    set(isa_sources ${sources})
    list(FILTER isa_sources INCLUDE REGEX "_cpu\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_cpu\\.cpp$")
    target_sources(${target} PRIVATE ${sources})
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
