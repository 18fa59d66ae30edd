#include "alambic/io/quant/encode.h"

#include <cmath>

#include "alambic/base/random.h"
#include "alambic/io/quant/decode.h"
#include "tests/io/io_testing.h"

namespace alambic::encode_test {
namespace {

std::vector<float> decoded(Dtype dtype, std::span<const std::byte> bytes, size_t count) {
  std::vector<float> numbers(count);
  decode(dtype, bytes, numbers);
  return numbers;
}

// What llama.cpp's tests/test-quantize-fns.cpp measures: the root of the summed squares over the
// count, on 4,096 numbers 0.1 + 2 cos(i).
double total_error(Dtype dtype) {
  std::vector<float> numbers;
  for (int i = 0; i < 32 * 128; ++i) numbers.push_back(0.1F + 2 * std::cos(static_cast<float>(i)));
  const auto back = decoded(dtype, encode(dtype, numbers), numbers.size());
  double sum = 0;
  for (size_t i = 0; i < numbers.size(); ++i) sum += std::pow(numbers[i] - back[i], 2);
  return std::sqrt(sum) / static_cast<double>(numbers.size());
}

// Prevents a packing that the decoder reads otherwise. llama.cpp allows 0.002 for all of these;
// what we reach is asked for, lest the search for scales degrade unseen.
TEST(Encode, ErrorsAreWithinThoseOfLlamaCpp) {
  EXPECT_LT(total_error(Dtype::Q8_0), 0.0001);
  EXPECT_LT(total_error(Dtype::Q6_K), 0.0004);
  EXPECT_LT(total_error(Dtype::Q4_K), 0.0015);
  EXPECT_LT(total_error(Dtype::Q4_0), 0.002);
}

// Root mean square error over that of the numbers, on normal draws, which weights resemble.
double relative_error(Dtype dtype) {
  std::vector<float> numbers;
  for (uint64_t i = 0; i < 4096; ++i) {
    numbers.push_back(static_cast<float>(0.02 * normal({.seed = 1, .sample = i})));
  }
  const auto back = decoded(dtype, encode(dtype, numbers), numbers.size());
  double error = 0, sum = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    error += std::pow(numbers[i] - back[i], 2);
    sum += std::pow(numbers[i], 2);
  }
  return std::sqrt(error / sum);
}

// Fixed draws, so no false alarms.
TEST(Encode, NormalWeightsLoseLittle) {
  EXPECT_LT(relative_error(Dtype::Q8_0), 0.006);
  EXPECT_LT(relative_error(Dtype::Q6_K), 0.02);
  EXPECT_LT(relative_error(Dtype::Q4_K), 0.075);
  EXPECT_LT(relative_error(Dtype::Q4_0), 0.095);
}

// Prevents rounding that differs from gguf-py's, whose bytes are in the golden file.
TEST(Encode, Q8AndQ4AreTheBytesOfGgufPy) {
  const SafetensorsFile golden =
      SafetensorsFile::open(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/gguf/encoded.safetensors");
  const TensorView* numbers = golden.find("numbers");
  std::vector<float> input(static_cast<size_t>(count_of(numbers->shape)));
  decode(Dtype::F32, numbers->bytes, input);
  for (const Dtype dtype : {Dtype::Q8_0, Dtype::Q4_0, Dtype::BF16, Dtype::F16, Dtype::MXFP4}) {
    const auto bytes = encode(dtype, input);
    EXPECT_TRUE(std::ranges::equal(bytes, golden.find(name_of(dtype))->bytes)) << name_of(dtype);
  }
}

// Prevents a division by a scale of nothing.
TEST(Encode, BlocksOfOneNumberComeBack) {
  for (const Dtype dtype : {Dtype::Q8_0, Dtype::Q4_0, Dtype::Q4_K, Dtype::Q6_K}) {
    for (const float value : {0.0F, -0.0F, 1.0F, -3.0F, 60000.0F, 1e-30F}) {
      const std::vector<float> numbers(256, value);
      for (const float back : decoded(dtype, encode(dtype, numbers), numbers.size())) {
        EXPECT_NEAR(back, value, std::fabs(value) * 0.01 + 1e-6) << name_of(dtype);
      }
    }
  }
}

TEST(Encode, SaysWhatAFormatCannotHold) {
  const std::vector<float> big = {1, 70000}, nan = {NAN}, fine = {1, -65504};
  EXPECT_EQ(fault_of(Dtype::F16, fine), "");
  EXPECT_EQ(fault_of(Dtype::BF16, big), "");
  EXPECT_EQ(fault_of(Dtype::F16, nan), "");
  EXPECT_NE(fault_of(Dtype::F16, big).find("70000"), std::string::npos);
  EXPECT_NE(fault_of(Dtype::Q4_K, nan).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace alambic::encode_test
