// simt.h for a CPU: a block's threads are fibers of one OS thread that take turns at barriers,
// shuffles and votes. Shared memory begins as NaN. A barrier that not every thread reaches is an
// error, and what differs with the order of turns is a race.
#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): expf and its kin without std::

#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define SIMT_SHARED(type, name, count)             \
  static const int name##_site = simt::new_site(); \
  type* const name = static_cast<type*>(simt::shared_memory(name##_site, sizeof(type) * (count)))
#define SIMT_DYNAMIC_SHARED(type, name) \
  type* const name = static_cast<type*>(simt::dynamic_shared_memory())

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace simt {

inline constexpr unsigned warp_size = 32;
inline constexpr const char* name = "simt";

template <void (*kernel)()>
const char* fault(int /*device*/) {
  return nullptr;
}

/// Order in which a block's threads get their turns.
enum class Order { ascending, descending };
void set_order(Order order);

/// Where a thread waits; `site` is told when others wait elsewhere.
using Site = std::source_location;

int new_site();
void* shared_memory(int site, size_t bytes);
void* dynamic_shared_memory();
void wait_for_block(const Site& site);
void wait_for_warp(const Site& site);
/// Shows `value` to the warp and returns what `lane` shows.
uint64_t exchange(uint64_t value, unsigned lane, const Site& site);
unsigned lane();

/// Kernels that have run.
int64_t launches();

/// Runs every block of the grid to its end. std::logic_error: what a GPU would refuse or hang on.
void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& body);

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            void* /*stream*/, const Arguments&... arguments) {
  run(grid, block, shared_bytes, [&] { kernel(static_cast<Parameters>(arguments)...); });
}

template <class T>
T from_lane(T value, unsigned lane, const Site& site) {
  static_assert(std::is_arithmetic_v<T>);  // CUDA shuffles nothing else
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(bits, lane, site);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace simt

inline void __syncthreads(const simt::Site& site = simt::Site::current()) {
  simt::wait_for_block(site);
}
inline void __syncwarp(unsigned = ~0u, const simt::Site& site = simt::Site::current()) {
  simt::wait_for_warp(site);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane, const simt::Site& site = simt::Site::current()) {
  return simt::from_lane(value, static_cast<unsigned>(lane) % simt::warp_size, site);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, const simt::Site& site = simt::Site::current()) {
  return simt::from_lane(value, simt::lane() ^ static_cast<unsigned>(mask), site);
}
/// The value of the lane `distance` below; the thread's own where there is none.
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned distance,
                 const simt::Site& site = simt::Site::current()) {
  const unsigned lane = simt::lane();
  return simt::from_lane(value, lane < distance ? lane : lane - distance, site);
}
inline unsigned __ballot_sync(unsigned, int vote, const simt::Site& site = simt::Site::current()) {
  unsigned votes = vote ? 1u << simt::lane() : 0;
  for (int step = 1; step < static_cast<int>(simt::warp_size); step *= 2) {
    votes |= __shfl_xor_sync(~0u, votes, step, site);
  }
  return votes;
}

// One OS thread runs a block, so that plain additions are atomic.
template <class T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  const T before = *at;
  *at += value;
  return before;
}
template <class T>
T atomicMax(T* at, std::type_identity_t<T> value) {
  const T before = *at;
  if (*at < value) *at = value;
  return before;
}

inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline uint32_t __float_as_uint(float x) { return __builtin_bit_cast(uint32_t, x); }
inline float __uint_as_float(uint32_t x) { return __builtin_bit_cast(float, x); }
