// Memory of a kernel under test: numbers between guards, and runs in both orders of threads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "alambic/io/quant/half.h"
#include "alambic/kernels/cuda/simt.h"
#include "alambic/kernels/device_table.h"
#include "tests/cuda/under_test.h"

namespace alambic::test {

using kernels::DeviceNumber;

/// `count` numbers of T in the middle of bytes that are NaN: a kernel that reads past an end spoils
/// its result, and one that writes there is told when the memory goes.
template <class T>
class Memory {
 public:
  explicit Memory(size_t count) : bytes_(2 * guard + count * sizeof(T), 0xff), count_(count) {}
  explicit Memory(const std::vector<T>& numbers) : Memory(numbers.size()) {
    std::copy(numbers.begin(), numbers.end(), data());
  }
  Memory(const Memory&) = default;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    wait_for_kernels();
    const auto whole = [](uint8_t byte) { return byte == 0xff; };
    EXPECT_TRUE(std::all_of(bytes_.begin(), bytes_.begin() + guard, whole)) << "written before";
    EXPECT_TRUE(std::all_of(bytes_.end() - guard, bytes_.end(), whole)) << "written behind";
  }

  T* data() {
    wait_for_kernels();
    return reinterpret_cast<T*>(bytes_.data() + guard);
  }
  std::vector<T> values() { return {data(), data() + count_}; }
  size_t size() const { return count_; }

 private:
  static constexpr ptrdiff_t guard = 1024;
  std::vector<uint8_t, Reachable<uint8_t>> bytes_;
  size_t count_;
};

/// Numbers of either type; values() are what the kernel sees, exact in double.
class Numbers {
 public:
  Numbers(DeviceNumber type, size_t count) : type_(type), memory_(count * width(type)) {}
  Numbers(DeviceNumber type, const std::vector<double>& numbers) : Numbers(type, numbers.size()) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      const auto number = static_cast<float>(numbers[i]);
      if (type == DeviceNumber::f32) {
        std::memcpy(memory_.data() + 4 * i, &number, 4);
      } else {
        const uint16_t bits = float_to_bfloat(number);
        std::memcpy(memory_.data() + 2 * i, &bits, 2);
      }
    }
  }

  void* data() { return memory_.data(); }
  std::vector<double> values() {
    std::vector<double> numbers(memory_.size() / width(type_));
    for (size_t i = 0; i < numbers.size(); ++i) {
      float number;
      uint16_t bits;
      std::memcpy(&number, memory_.data() + 4 * i * (type_ == DeviceNumber::f32), 4);
      std::memcpy(&bits, memory_.data() + 2 * i, 2);
      numbers[i] = type_ == DeviceNumber::f32 ? number : bfloat_to_float(bits);
    }
    return numbers;
  }

 private:
  static size_t width(DeviceNumber type) { return type == DeviceNumber::f32 ? 4 : 2; }
  DeviceNumber type_;
  Memory<uint8_t> memory_;
};

/// Normal numbers, the same for the same seed.
inline std::vector<double> normal(size_t count, unsigned seed, double scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> distribution(0, scale);
  std::vector<double> numbers(count);
  for (double& number : numbers) number = distribution(random);
  return numbers;
}

/// What `run` returns with the threads in one order of turns; in the other it must be the same
/// bits.
template <class F>
auto in_both_orders(const F& run) {
  simt::set_order(simt::Order::ascending);
  const auto first = run();
  simt::set_order(simt::Order::descending);
  const auto second = run();
  simt::set_order(simt::Order::ascending);
  EXPECT_EQ(first.size(), second.size());
  EXPECT_EQ(std::memcmp(first.data(), second.data(), first.size() * sizeof(first[0])), 0)
      << "the threads' order makes a difference: a race";
  return first;
}

/// Largest difference relative to the largest magnitude expected, at least 0.1; infinity for NaN.
inline double error(const std::vector<double>& found, const std::vector<double>& expected) {
  if (found.size() != expected.size()) return INFINITY;
  double worst = 0, largest = 0.1;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    worst = difference <= worst ? worst : difference;  // NaN stays
    if (difference != difference) return INFINITY;
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

/// Half a unit in the last place of a number, and a little for sums.
inline double tolerance(DeviceNumber type) { return type == DeviceNumber::f32 ? 2e-6 : 5e-3; }

inline constexpr DeviceNumber both_types[] = {DeviceNumber::f32, DeviceNumber::bf16};

}  // namespace alambic::test
