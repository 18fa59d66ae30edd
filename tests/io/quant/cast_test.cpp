#include "alambic/io/quant/cast.h"

#include "tests/io/io_testing.h"

namespace alambic::cast_test {
namespace {

std::vector<std::byte> written(const TensorSource& tensor) {
  std::vector<std::byte> all;
  write_bytes(tensor, [&](std::span<const std::byte> bytes) {
    all.insert(all.end(), bytes.begin(), bytes.end());
  });
  return all;
}

TEST(Cast, GivesTheNumbersInTheOtherFormat) {
  const std::vector<float> numbers = {1, -2, 0.5};
  const TensorSource cast = cast_tensor(view_of("a", numbers), Dtype::BF16, "m");
  EXPECT_EQ(cast.dtype, Dtype::BF16);
  EXPECT_EQ(cast.shape, std::vector<int64_t>{3});
  const std::vector<uint16_t> expected = {0x3f80, 0xc000, 0x3f00};
  EXPECT_TRUE(std::ranges::equal(written(cast), std::as_bytes(std::span(expected))));
  const TensorSource same = cast_tensor(view_of("a", numbers), Dtype::F32, "m");
  EXPECT_TRUE(std::ranges::equal(written(same), std::as_bytes(std::span(numbers))));
}

// Prevents half a model that is left behind: the number is found before any file is written.
TEST(Cast, RefusesWhatF16CannotHoldBeforeItIsWritten) {
  const std::vector<float> numbers = {1, 70000};
  expect_refused([&] { cast_tensor(view_of("a", numbers), Dtype::F16, "m"); },
                 {"cannot convert m: tensor a: it holds 70000", "--dtype bfloat16"});
}

// Prevents a file whose tensors are not where its header says.
TEST(Cast, RefusesASourceThatWritesAnotherSize) {
  const TensorSource tensor = {
      .name = "a", .dtype = Dtype::F32, .shape = {2}, .write = [](const ByteSink& sink) {
        sink(std::vector<std::byte>(4));
      }};
  EXPECT_THROW(write_safetensors(fresh_folder() / "f.safetensors", {tensor}, {}), Error);
}

TEST(MainDtype, IsThatOfTheLargestTensor) {
  const std::vector<float> numbers(4);
  TensorView halves = view_of("b", numbers);
  halves.dtype = Dtype::F16;
  halves.shape = {8};
  EXPECT_EQ(main_dtype({view_of("a", numbers), halves}), Dtype::F16);
  EXPECT_EQ(main_dtype({}), Dtype::F32);
}

}  // namespace
}  // namespace alambic::cast_test
