#include "alambic/train/part_files.h"

#include "alambic/base/error.h"
#include "tests/train/task_fixture.h"

namespace alambic::part_files_test {
namespace {

const std::vector<std::vector<int64_t>> shapes = {{5, 3}, {7}, {1}, {2, 2, 4}, {0, 3}};

// What each of `ranks` has of the tensors, whose numbers are in one row.
std::vector<std::vector<TensorPart>> divided(const std::vector<Tensor>& tensors, int64_t ranks) {
  int64_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.numel();
  std::vector<std::vector<TensorPart>> parts(static_cast<size_t>(ranks));
  for (int64_t rank = 0; rank < ranks; ++rank) {
    int64_t place = 0;
    const int64_t begin = count * rank / ranks, end = count * (rank + 1) / ranks;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t numbers = tensors[i].numel();
      const int64_t first = std::clamp<int64_t>(begin - place, 0, numbers);
      const int64_t last = std::clamp<int64_t>(end - place, first, numbers);
      parts[static_cast<size_t>(rank)].push_back(
          {.name = "layers.0.tensor" + std::to_string(i),
           .shape = tensors[i].sizes().vec(),
           .first = first,
           .part = tensors[i].view({-1}).narrow(0, first, last - first)});
      place += numbers;
    }
  }
  return parts;
}

std::vector<Tensor> made(int64_t from, at::ScalarType dtype) {
  std::vector<Tensor> tensors;
  for (const std::vector<int64_t>& shape : shapes) {
    const int64_t numbers = c10::multiply_integers(shape);
    tensors.push_back(at::arange(from, from + numbers).view(shape).to(dtype));
    from += numbers;
  }
  return tensors;
}

std::vector<fs::path> written(const fs::path& folder,
                              const std::vector<std::vector<TensorPart>>& parts) {
  std::vector<fs::path> files;
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    const fs::path file = folder / fmt::format("model-{}.safetensors", rank);
    if (write_parts(file, parts[rank])) files.push_back(file);
  }
  return files;
}

// Prevents a checkpoint that only as many ranks can go on from, and numbers that end up a place
// further: a border of ranks lies in every tensor.
TEST(PartFiles, OfSomeRanksAreReadByOthers) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const std::vector<Tensor> tensors = made(0, dtype);
    for (const int64_t ranks : {1, 2, 3, 7, 50}) {
      const TestFolder folder;
      const std::vector<fs::path> files = written(folder.path, divided(tensors, ranks));
      for (const int64_t others : {1, 2, 5, 50}) {
        const std::vector<Tensor> read = made(1000, dtype);
        for (const auto& targets : divided(read, others)) read_parts(files, targets);
        for (size_t i = 0; i < read.size(); ++i) {
          EXPECT_TRUE(same_bytes(read[i], tensors[i])) << ranks << " to " << others << ", " << i;
        }
      }
    }
  }
}

// Prevents copies of a sharded model that write the same numbers again.
TEST(PartFiles, HaveEveryNumberOnce) {
  const TestFolder folder;
  auto parts = divided(made(0, at::kFloat), 1);
  for (TensorPart& part : parts[0]) part.again = true;
  EXPECT_FALSE(write_parts(folder.path / "model.safetensors", parts[0]));
  EXPECT_FALSE(fs::exists(folder.path / "model.safetensors"));
}

// Prevents a run that goes on with numbers of which a rank's file is gone, or of another model.
TEST(PartFiles, RefuseWhatIsNotThisRun) {
  const TestFolder folder;
  const std::vector<Tensor> tensors = made(0, at::kFloat);
  const std::vector<fs::path> files = written(folder.path, divided(tensors, 3));
  const auto expect_refused = [&](const std::vector<fs::path>& some,
                                  std::vector<TensorPart> targets) {
    try {
      read_parts(some, targets);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << error.what();
    }
  };
  const std::vector<TensorPart> targets = divided(tensors, 1)[0];
  expect_refused({files[0], files[1]}, targets);
  expect_refused({}, targets);
  std::vector<TensorPart> other = targets;
  other[0].shape = {5, 4};
  other[0].part = at::empty({20});
  expect_refused(files, other);
  other = targets;
  other[1].name += "x";
  expect_refused(files, other);
  other = targets;
  other.pop_back();
  expect_refused(files, other);
}

}  // namespace
}  // namespace alambic::part_files_test
