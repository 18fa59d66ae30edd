# alambic_libtorch(HEADERS LIBRARIES CUDART): the target alambic::libtorch, by path. HEADERS is the
# wheel's torch/include; LIBRARIES holds libtorch_cpu.so and libc10.so, CUDART the libcudart and
# libcupti that libtorch_cpu.so names as needed. The installed package uses it too
# (alambicConfig.cmake.in).
#
# Not find_package(Torch): on the CUDA wheel it demands nvcc (docs/build.md). One wheel serves
# machines with and without a GPU because only torch_cpu and c10 are linked.
function(alambic_libtorch headers libraries cudart)
  add_library(alambic::libtorch INTERFACE IMPORTED GLOBAL)
  # After Debian's own folders: the wheel ships old copies of foreign headers.
  target_compile_options(alambic::libtorch INTERFACE
    "SHELL:-idirafter ${headers}"
    "SHELL:-idirafter ${headers}/torch/csrc/api/include"
    -fopenmp)
  # Only the operators that tensor.h names are declared: all would cost seconds in every file.
  target_compile_definitions(alambic::libtorch INTERFACE AT_PER_OPERATOR_HEADERS)
  target_link_libraries(alambic::libtorch INTERFACE "${libraries}/libtorch_cpu.so"
                                                    "${libraries}/libc10.so")
  # DT_RPATH, which serves the libraries that libtorch_cpu.so loads; DT_RUNPATH would not.
  target_link_options(alambic::libtorch INTERFACE "LINKER:-rpath-link,${cudart}"
    "LINKER:-rpath-link,${libraries}" "LINKER:--disable-new-dtags"
    "LINKER:-rpath,${libraries}" "LINKER:-rpath,${cudart}")
endfunction()
