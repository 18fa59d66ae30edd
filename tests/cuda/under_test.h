// The kernels under test: those of this program, which g++ has built, or those of the library that
// ALAMBIC_TEST_KERNELS names. With libalambic_cuda.so they run on GPU 0 (tools/gpu-check).
#pragma once

#include <cstddef>

#include "alambic/kernels/device_table.h"
#include "alambic/objective/device_rows.h"

namespace alambic::test {

const kernels::DeviceTable& under_test();
const DeviceRows& rows_under_test();
/// Whether they are this program's own, whose launches simt.h counts.
bool are_our_own();

/// Memory that the host and the kernels reach by one address.
void* reachable(size_t bytes);
void release(void* memory);
/// Waits until the host may look at what kernels have written; what they did wrong fails the test.
void wait_for_kernels();

/// std::vector's way to such memory.
template <class T>
struct Reachable {
  using value_type = T;
  T* allocate(size_t count) { return static_cast<T*>(reachable(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { release(memory); }
  bool operator==(const Reachable&) const { return true; }
};

}  // namespace alambic::test
