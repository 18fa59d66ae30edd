# Debian's packages for the torch-free rooms, and libtorch from the unpacked PyPI wheels.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)
# simdjson: json_view.h's inline functions need it when nothing is optimized.
set(ALAMBIC_CORE_LIBRARIES fmt::fmt nlohmann_json::nlohmann_json simdjson::simdjson)
set(ALAMBIC_CORE_PRIVATE_LIBRARIES PkgConfig::CRYPTO PkgConfig::PCRE2 PkgConfig::UTF8PROC
                                   tomlplusplus::tomlplusplus)

if(NOT ALAMBIC_TORCH)
  return()
endif()

# We do not use find_package(Torch): on the CUDA wheel it demands nvcc (docs/build.md). One wheel
# serves machines with and without a GPU because we link torch_cpu and c10 only.
if(NOT ALAMBIC_TORCH_DIR)
  if(DEFINED ENV{ALAMBIC_CACHE})
    set(_cache "$ENV{ALAMBIC_CACHE}")
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(_cache "$ENV{XDG_CACHE_HOME}/alambic")
  else()
    set(_cache "$ENV{HOME}/.cache/alambic")
  endif()
  set(ALAMBIC_TORCH_DIR "${_cache}/torch-2.11.0" CACHE PATH "folder that holds torch/ and nvidia/")
endif()
if(NOT EXISTS "${ALAMBIC_TORCH_DIR}/torch/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no libtorch in ${ALAMBIC_TORCH_DIR}; run tools/setup first (make does)")
endif()
set(ALAMBIC_TORCH_LIB "${ALAMBIC_TORCH_DIR}/torch/lib")
set(ALAMBIC_CUDART_LIB "${ALAMBIC_TORCH_DIR}/nvidia/cu13/lib")

add_library(libtorch INTERFACE)
# After Debian's own folders: the wheel ships old copies of foreign headers.
target_compile_options(libtorch INTERFACE
  "SHELL:-idirafter ${ALAMBIC_TORCH_DIR}/torch/include"
  "SHELL:-idirafter ${ALAMBIC_TORCH_DIR}/torch/include/torch/csrc/api/include"
  -fopenmp)
# Only the operators that tensor.h names are declared: all of them would cost seconds in every file.
target_compile_definitions(libtorch INTERFACE AT_PER_OPERATOR_HEADERS)
target_link_libraries(libtorch INTERFACE "${ALAMBIC_TORCH_LIB}/libtorch_cpu.so"
                                         "${ALAMBIC_TORCH_LIB}/libc10.so")
target_link_options(libtorch INTERFACE "LINKER:-rpath-link,${ALAMBIC_CUDART_LIB}"
  "LINKER:-rpath-link,${ALAMBIC_TORCH_LIB}" "LINKER:--disable-new-dtags"
  "LINKER:-rpath,${ALAMBIC_TORCH_LIB}" "LINKER:-rpath,${ALAMBIC_CUDART_LIB}")
