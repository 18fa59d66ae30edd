# CMAKE_UNITY_BUILD (what `make` does unless UNITY=OFF): eight files of a room are compiled as one,
# which takes a third of the time, most of which goes to the same headers. What files of one room
# call alike would collide then; files whose tables have the same names on purpose stay apart.

# alambic_unite(TARGET ROOM FILE…): these files of the room are compiled eight at a time, none with a
# file of another room.
function(alambic_unite target room)
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  set(count 0)
  foreach(file ${ARGN})
    math(EXPR group "${count} / 8")
    math(EXPR count "${count} + 1")
    set_source_files_properties(${file} TARGET_DIRECTORY ${target}
                                PROPERTIES UNITY_GROUP ${room}_${group})
  endforeach()
endfunction()

# alambic_apart(TARGET PATTERN…): these files, relative to the project, are compiled by themselves.
function(alambic_apart target)
  foreach(pattern ${ARGN})
    file(GLOB files "${PROJECT_SOURCE_DIR}/${pattern}")
    set_source_files_properties(${files} TARGET_DIRECTORY ${target}
                                PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
endfunction()

if(CMAKE_UNITY_BUILD)
  # A class behind a pointer may have members of a file's own types; in a file that includes it, g++
  # takes it for a header's.
  add_compile_options(-Wno-subobject-linkage)
endif()
