# Debian's packages for the torch-free rooms, and libtorch from the unpacked PyPI wheels.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)
# simdjson: json_view.h's inline functions need it when nothing is optimized.
set(ALAMBIC_CORE_LIBRARIES fmt::fmt nlohmann_json::nlohmann_json simdjson::simdjson)
set(ALAMBIC_CORE_PRIVATE_LIBRARIES PkgConfig::CRYPTO PkgConfig::PCRE2 PkgConfig::UTF8PROC
                                   PkgConfig::ZLIB PkgConfig::ZSTD tomlplusplus::tomlplusplus)

if(DEFINED ENV{ALAMBIC_CACHE})
  set(_cache "$ENV{ALAMBIC_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(_cache "$ENV{XDG_CACHE_HOME}/alambic")
else()
  set(_cache "$ENV{HOME}/.cache/alambic")
endif()

# Apache Arrow, for Parquet and Arrow files: everything else works without it.
set(ALAMBIC_ARROW_VERSION 26.0.1)
set(ALAMBIC_ARROW_DIR "${_cache}/arrow-${ALAMBIC_ARROW_VERSION}" CACHE PATH "folder that holds pyarrow/")
set(ALAMBIC_ARROW_LIB "${ALAMBIC_ARROW_DIR}/pyarrow")
if(ALAMBIC_SANITIZE)
  set(ALAMBIC_ARROW OFF)  # vectors of a library that is not instrumented look broken to ASan
elseif(EXISTS "${ALAMBIC_ARROW_LIB}/include/arrow/api.h" AND EXISTS "${ALAMBIC_ARROW_LIB}/libparquet.so.2600")
  set(ALAMBIC_ARROW ON)
else()
  set(ALAMBIC_ARROW OFF)
  message(STATUS "no Apache Arrow in ${ALAMBIC_ARROW_DIR}: Parquet and Arrow files will not be read (tools/setup --arrow)")
endif()

if(NOT ALAMBIC_TORCH)
  return()
endif()

set(ALAMBIC_TORCH_VERSION 2.11.0)
if(NOT ALAMBIC_TORCH_DIR)
  set(ALAMBIC_TORCH_DIR "${_cache}/torch-${ALAMBIC_TORCH_VERSION}" CACHE PATH "folder that holds torch/ and nvidia/")
endif()
if(NOT EXISTS "${ALAMBIC_TORCH_DIR}/torch/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no libtorch in ${ALAMBIC_TORCH_DIR}; run tools/setup first (make does)")
endif()
set(ALAMBIC_TORCH_LIB "${ALAMBIC_TORCH_DIR}/torch/lib")
set(ALAMBIC_CUDART_LIB "${ALAMBIC_TORCH_DIR}/nvidia/cu13/lib")

include(libtorch)
alambic_libtorch("${ALAMBIC_TORCH_DIR}/torch/include" "${ALAMBIC_TORCH_LIB}" "${ALAMBIC_CUDART_LIB}")
