# alambic_isa_kernels(NAME FILE…): the files compiled once per instruction set, in the namespace
# ALAMBIC_ISA, as part of alambic_torch. They may use no inline function out of line: the linker
# would be free to keep the AVX-512 copy of it for everybody (tools/lint/isa_symbols looks).
set(ALAMBIC_ISAS baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND ALAMBIC_ISAS avx2 avx512)
endif()
set(ALAMBIC_FLAGS_avx2 -march=x86-64-v3)
set(ALAMBIC_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)

function(alambic_isa_kernels name)
  foreach(isa ${ALAMBIC_ISAS})
    add_library(${name}_${isa} OBJECT ${ARGN})
    set_target_properties(${name}_${isa} PROPERTIES UNITY_BUILD OFF)  # they define one namespace each
    target_include_directories(${name}_${isa} PRIVATE "${PROJECT_SOURCE_DIR}"
                                                      "${CMAKE_BINARY_DIR}/generated")
    target_compile_definitions(${name}_${isa} PRIVATE ALAMBIC_ISA=${isa} ALAMBIC_ISA_NAME="${isa}")
    # NaN and infinity keep their meaning: no -ffast-math.
    target_compile_options(${name}_${isa} PRIVATE -O3 -fno-math-errno -fno-trapping-math
                           -ffp-contract=fast -Wno-psabi ${ALAMBIC_FLAGS_${isa}})
    target_sources(alambic_torch PRIVATE $<TARGET_OBJECTS:${name}_${isa}>)
  endforeach()
endfunction()
