// The CPU's play of a block: what must be told is told.
#include "alambic/kernels/cuda/simt.h"

#include <stdexcept>

#include "alambic/kernels/cuda/reduce.h"
#include "tests/cuda/memory.h"

namespace alambic::simt_test {
namespace {

using namespace alambic::test;

__global__ void sum_of_indices(float* y) {
  const float sum = kernels::device::block_sum(static_cast<float>(threadIdx.x + 1));
  y[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

__global__ void neighbor(float* y, bool waits) {
  SIMT_SHARED(float, row, 64);
  row[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (waits) __syncthreads();
  y[threadIdx.x] = row[(threadIdx.x + 1) % 64];
}

__global__ void half_waits() {
  if (threadIdx.x < 32) __syncthreads();
}

__global__ void waits_here_and_there() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void votes(unsigned* y) { y[threadIdx.x] = __ballot_sync(~0u, threadIdx.x % 3 == 0); }

std::string fault_of(void (*kernel)(), unsigned threads) {
  try {
    simt::launch(kernel, 1, threads, 0, nullptr);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(Simt, ReducesOverABlock) {
  const auto sums = in_both_orders([] {
    Memory<float> y(2 * 96);
    simt::launch(sum_of_indices, 2, 96, 0, nullptr, y.data());
    return y.values();
  });
  for (const float sum : sums) EXPECT_EQ(sum, 96 * 97 / 2);
}

TEST(Simt, SharedMemoryBeginsAsNaNAndAMissingBarrierShows) {
  Memory<float> y(64);
  simt::launch(neighbor, 1, 64, 0, nullptr, y.data(), true);
  EXPECT_EQ(y.values()[3], 4);
  simt::launch(neighbor, 1, 64, 0, nullptr, y.data(), false);
  EXPECT_TRUE(std::isnan(y.values()[3]));
}

TEST(Simt, BarriersThatPartOfABlockReachesAreTold) {
  EXPECT_NE(fault_of(half_waits, 64).find("32 threads of a block wait at"), std::string::npos);
  EXPECT_NE(fault_of(waits_here_and_there, 64).find("different barriers"), std::string::npos);
  EXPECT_NE(fault_of(half_waits, 33).find("a block of 33 threads"), std::string::npos);
  EXPECT_EQ(fault_of(half_waits, 32), "");  // afterwards all is as before
}

TEST(Simt, VotesAreThoseOfAWarp) {
  Memory<unsigned> y(64);
  simt::launch(votes, 1, 64, 0, nullptr, y.data());
  EXPECT_EQ(y.values()[0], 0x49249249u);
  EXPECT_EQ(y.values()[63], 0x92492492u);
}

}  // namespace
}  // namespace alambic::simt_test
