# libalambic_cuda.so, the kernels of alambic/*/cuda/*.cu by nvcc, and libalambic_cuda_torch.so, the
# few things that need libtorch's CUDA headers. Nothing links them: who finds a GPU loads them.
#
# ALAMBIC_CUDA AUTO: where nvcc is found; ON: not without it; OFF: never. By commands of our own and
# not enable_language(CUDA): CMake 3.25 cannot say C++20 to nvcc 13, and its checks want a toolkit
# where PyPI's wheels are enough.
set(ALAMBIC_CUDA AUTO CACHE STRING "build the CUDA kernels: AUTO (where nvcc is), ON, OFF")
set_property(CACHE ALAMBIC_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ALAMBIC_CUDA_ARCHITECTURES "80;90;100;120" CACHE STRING "compute capabilities with code of their own")
if(ALAMBIC_CUDA STREQUAL "OFF")
  return()
endif()

# Why there will be no kernels: with ON that is an error. A macro, so that it can end this file.
macro(alambic_no_cuda reason)
  if(ALAMBIC_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ALAMBIC_CUDA is ON: ${reason}")
  endif()
  message(STATUS "no CUDA kernels: ${reason}")
  return()
endmacro()

find_program(ALAMBIC_NVCC_PROGRAM nvcc HINTS ENV CUDA_HOME /usr/local/cuda
             "${ALAMBIC_TORCH_DIR}/nvidia/cu13" PATH_SUFFIXES bin)
set(ALAMBIC_NVCC "${ALAMBIC_NVCC_PROGRAM}")
if(NOT ALAMBIC_NVCC)
  if(ALAMBIC_CUDA STREQUAL "AUTO")
    return()  # the usual case, about which there is nothing to say
  endif()
  alambic_no_cuda("no nvcc in PATH, CUDA_HOME, /usr/local/cuda or ${ALAMBIC_TORCH_DIR}/nvidia/cu13; tools/setup --cuda fetches it")
endif()
execute_process(COMMAND "${ALAMBIC_NVCC}" --version OUTPUT_VARIABLE _version ERROR_VARIABLE _version)
if(NOT _version MATCHES "release ([0-9.]+), V([0-9.]+)")
  alambic_no_cuda("${ALAMBIC_NVCC} does not say its version")
endif()
set(ALAMBIC_NVCC_VERSION "${CMAKE_MATCH_2}")
if(ALAMBIC_NVCC_VERSION VERSION_LESS 13.0)
  alambic_no_cuda("${ALAMBIC_NVCC} is ${ALAMBIC_NVCC_VERSION}, libtorch's CUDA is 13.0")
endif()
# An nvcc that is older than the compiler of this machine refuses it: better known now.
if(NOT ALAMBIC_NVCC_TRIED STREQUAL "${ALAMBIC_NVCC} ${ALAMBIC_NVCC_VERSION}")
  file(WRITE "${CMAKE_BINARY_DIR}/cuda/probe.cu" "#include <tuple>\n__global__ void probe() {}\n")
  execute_process(COMMAND "${ALAMBIC_NVCC}" -std=c++20 -c probe.cu -o probe.o
                  WORKING_DIRECTORY "${CMAKE_BINARY_DIR}/cuda" RESULT_VARIABLE _failed
                  OUTPUT_VARIABLE _said ERROR_VARIABLE _said)
  if(_failed)
    alambic_no_cuda("${ALAMBIC_NVCC} does not compile: ${_said}")
  endif()
  set(ALAMBIC_NVCC_TRIED "${ALAMBIC_NVCC} ${ALAMBIC_NVCC_VERSION}" CACHE INTERNAL "it compiles")
endif()
get_filename_component(_cuda "${ALAMBIC_NVCC}" REALPATH)
get_filename_component(_cuda "${_cuda}" DIRECTORY)
get_filename_component(_cuda "${_cuda}" DIRECTORY)
message(STATUS "CUDA kernels by ${ALAMBIC_NVCC} ${ALAMBIC_NVCC_VERSION}")

set(_flags -std=c++20 -O3 -lineinfo --expt-relaxed-constexpr -Xcompiler=-fPIC,-fvisibility=hidden
           -Xptxas=-v "-I${PROJECT_SOURCE_DIR}" "-I${CMAKE_BINARY_DIR}/generated")
foreach(_architecture ${ALAMBIC_CUDA_ARCHITECTURES})
  list(APPEND _flags -gencode "arch=compute_${_architecture},code=sm_${_architecture}")
endforeach()
list(APPEND _flags -gencode arch=compute_120,code=compute_120)  # what comes later translates it

# Objects with what ptxas says of each beside it (tools/cuda-registers).
set(ALAMBIC_CUDA_LOGS "${CMAKE_BINARY_DIR}/cuda")
file(MAKE_DIRECTORY "${ALAMBIC_CUDA_LOGS}")
file(GLOB _sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/alambic/*/cuda/*.cu")
set(_objects)
foreach(_source ${_sources})
  get_filename_component(_name "${_source}" NAME_WE)
  set(_object "${ALAMBIC_CUDA_LOGS}/${_name}.o")
  add_custom_command(OUTPUT "${_object}"
    COMMAND sh "${PROJECT_SOURCE_DIR}/cmake/logged.sh" "${ALAMBIC_CUDA_LOGS}/${_name}.log"
            "${ALAMBIC_NVCC}" ${_flags} -MD -MF "${_object}.d" -c "${_source}" -o "${_object}"
    DEPENDS "${_source}" DEPFILE "${_object}.d" COMMENT "nvcc ${_name}.cu" VERBATIM)
  list(APPEND _objects "${_object}")
endforeach()
set_source_files_properties(${_objects} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(alambic_cuda SHARED ${_objects} alambic/objective/cuda/exports.cpp)
add_dependencies(alambic_cuda alambic_core)  # its generated headers
set_target_properties(alambic_cuda PROPERTIES LINKER_LANGUAGE CXX CXX_VISIBILITY_PRESET hidden)
target_include_directories(alambic_cuda PRIVATE "${PROJECT_SOURCE_DIR}"
                                                "${CMAKE_BINARY_DIR}/generated")
# The runtime that libtorch has; there is one in a process.
target_link_libraries(alambic_cuda PRIVATE "${ALAMBIC_CUDART_LIB}/libcudart.so.13")
target_link_options(alambic_cuda PRIVATE "LINKER:--disable-new-dtags"
                    "LINKER:-rpath,${ALAMBIC_CUDART_LIB}" "LINKER:-Bsymbolic")

find_path(_nccl nccl.h HINTS "${ALAMBIC_TORCH_DIR}/nvidia/nccl/include" "${_cuda}/include"
          NO_CACHE)
find_path(_cublas cublas_v2.h HINTS "${ALAMBIC_TORCH_DIR}/nvidia/cu13/include" "${_cuda}/include"
          NO_CACHE)
if(_nccl AND _cublas AND EXISTS "${ALAMBIC_TORCH_LIB}/libtorch_cuda.so")
  add_library(alambic_cuda_torch SHARED alambic/kernels/cuda/glue.cpp)
  target_compile_definitions(alambic_cuda_torch PRIVATE USE_DISTRIBUTED USE_C10D_NCCL)
  target_compile_options(alambic_cuda_torch PRIVATE
    -Wno-extra "SHELL:-idirafter ${_cublas}" "SHELL:-idirafter ${_nccl}")
  target_link_libraries(alambic_cuda_torch PRIVATE alambic::libtorch
    "${ALAMBIC_TORCH_LIB}/libtorch_cuda.so" "${ALAMBIC_TORCH_LIB}/libc10_cuda.so")
  # What libtorch_cuda.so needs comes with it.
  target_link_options(alambic_cuda_torch PRIVATE "LINKER:--allow-shlib-undefined")
endif()
