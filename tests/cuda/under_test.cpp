#include "tests/cuda/under_test.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <new>

extern "C" const alambic::kernels::DeviceTable* alambic_device_table();

namespace alambic::test {
namespace {

[[noreturn]] void refuse(const std::string& problem) {
  std::cerr << "ALAMBIC_TEST_KERNELS: " << problem << "\n";
  std::_Exit(3);
}

// A library of kernels and what of the CUDA runtime came with it; nothing where it has none.
struct Library {
  const kernels::DeviceTable* table = alambic_device_table();
  bool own = true;
  int (*allocate)(void**, size_t, unsigned) = nullptr;
  int (*free)(void*) = nullptr;
  int (*synchronize)() = nullptr;
  const char* (*text_of)(int) = nullptr;

  Library() {
    const char* path = std::getenv("ALAMBIC_TEST_KERNELS");
    if (path == nullptr) return;
    void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) refuse(::dlerror());
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
    };
    decltype(&alambic_device_table) shows = nullptr;
    find(shows, kernels::device_table_function);
    if (shows == nullptr) refuse(std::string(path) + " shows no table of kernels");
    table = shows();
    own = false;
    if (table->layout != kernels::device_layout ||
        static_cast<const DeviceRows*>(table->rows)->layout != device_rows_layout) {
      refuse(std::string(path) + " is of another build");
    }
    if (const char* fault = table->fault(0)) {
      refuse(std::string(path) + " cannot run on GPU 0: " + fault);
    }
    find(allocate, "cudaMallocManaged");
    find(free, "cudaFree");
    find(synchronize, "cudaDeviceSynchronize");
    find(text_of, "cudaGetErrorString");
    std::cout << "kernels of " << path << " (" << table->name << ")\n";
  }

  void expect_none(int error, const char* what) const {
    EXPECT_EQ(error, 0) << what << ": " << text_of(error);
    if (error != 0) refuse(text_of(error));  // everything behind it would fail too
  }
};

const Library& library() {
  static const Library* const library = new Library;
  return *library;
}

}  // namespace

const kernels::DeviceTable& under_test() { return *library().table; }
const DeviceRows& rows_under_test() {
  return *static_cast<const DeviceRows*>(library().table->rows);
}
bool are_our_own() { return library().own; }

void* reachable(size_t bytes) {
  if (library().allocate == nullptr) return ::operator new(bytes);
  constexpr unsigned attach_global = 1;
  void* memory = nullptr;
  library().expect_none(library().allocate(&memory, bytes, attach_global), "memory");
  return memory;
}

void release(void* memory) {
  if (library().free == nullptr) return ::operator delete(memory);
  library().expect_none(library().free(memory), "freeing memory");
}

void wait_for_kernels() {
  if (library().synchronize != nullptr) library().expect_none(library().synchronize(), "a kernel");
}

}  // namespace alambic::test
