#include "alambic/io/safetensors.h"

#include <sys/stat.h>

#include <ctime>

#include "tests/io/io_testing.h"

namespace alambic::safetensors_test {
namespace {

std::string small_file() {
  const fs::path path = fresh_folder() / "small.safetensors";
  const std::vector<float> a = {1, 2, 3}, b = {4};
  write_safetensors(path, {view_of("a", a), view_of("b", b)}, {{"format", "pt"}});
  return read_file(path);
}

TEST(SafetensorsFile, TensorsComeBackWithNamesShapesAndBytes) {
  const fs::path path = fresh_folder() / "f.safetensors";
  const std::vector<float> numbers = {1, -2, 3.5, 4, 5, 6};
  TensorView matrix = view_of("matrix", numbers);
  matrix.shape = {2, 3};
  write_safetensors(path, {matrix, view_of("empty", {})}, {{"b", "2"}, {"a", "1"}});
  const SafetensorsFile file = SafetensorsFile::open(path);
  EXPECT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.metadata().at("b"), "2");
  ASSERT_NE(file.find("matrix"), nullptr);
  EXPECT_EQ(file.find("matrix")->shape, matrix.shape);
  EXPECT_TRUE(std::ranges::equal(file.find("matrix")->bytes, matrix.bytes));
}

TEST(SafetensorsFile, FindsItsTensorsAfterItWasMoved) {
  const fs::path path = fresh_folder() / "f.safetensors";
  const std::vector<float> numbers = {7};
  write_safetensors(path, {view_of("a", numbers)}, {});
  std::vector<SafetensorsFile> files;
  for (int i = 0; i < 5; ++i) files.push_back(SafetensorsFile::open(path));
  for (const SafetensorsFile& file : files) {
    ASSERT_EQ(file.find("a"), file.tensors().data());
    EXPECT_TRUE(std::ranges::equal(file.find("a")->bytes, std::as_bytes(std::span(numbers))));
  }
}

TEST(SafetensorsFile, IsRefusedWhenCutAnywhere) {
  const std::string file = small_file();
  for (size_t size = 0; size < file.size(); ++size) {
    // A copy of exactly this size, so that a sanitizer sees a read past the end.
    const std::vector<char> prefix(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    const auto bytes = std::as_bytes(std::span(prefix));
    EXPECT_THROW(parse_safetensors(bytes, "f"), Error) << "cut at byte " << size;
  }
}

TEST(SafetensorsFile, WithAnyByteOfItsHeaderChangedIsReadOrRefusedButNeverReadsOutside) {
  const std::string file = small_file();
  for (size_t at = 0; at < file.size() - 16; ++at) {
    for (const int value : {0x00, 0x22, 0x2d, 0x39, 0x5b, 0x7b, 0x80, 0xff}) {
      std::vector<char> changed(file.begin(), file.end());
      changed[at] = static_cast<char>(value);
      const auto bytes = std::as_bytes(std::span(changed));
      try {
        for (const TensorView& tensor : parse_safetensors(bytes, "f").tensors) {
          EXPECT_GE(tensor.bytes.data(), bytes.data());
          EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), bytes.data() + bytes.size());
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.exit(), Exit::input);
      }
    }
  }
}

// Processor seconds to read a header of so many tensors.
double seconds_to_read(int tensors) {
  std::string header = "{";
  for (int i = 0; i < tensors; ++i) {
    header += fmt::format(R"({}"t{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                          i == 0 ? "" : ",", i);
  }
  const std::string file = file_of(header + "}");
  const std::clock_t start = std::clock();
  EXPECT_EQ(parse_safetensors(bytes_of(file), "f").tensors.size(), static_cast<size_t>(tensors));
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(SafetensorsFile, WithManyTensorsIsReadInTimeThatGrowsWithTheirNumber) {
  const double few = seconds_to_read(4'000), many = seconds_to_read(40'000);
  // Comparing each name with each takes 100 times as long.
  EXPECT_LT(many, 40 * few + 0.05);
}

TEST(SafetensorsFile, HasItsDataAtAMultipleOfEightBytes) {
  const fs::path path = fresh_folder() / "f.safetensors";
  const std::vector<float> numbers = {1};
  for (std::string name = "a"; name.size() <= 8; name += "a") {
    write_safetensors(path, {view_of(name, numbers)}, {});
    EXPECT_EQ((fs::file_size(path) - sizeof(float)) % 8, 0u) << name;
  }
}

TEST(SafetensorsFile, CanBeReplacedWhileItsTensorsAreInUse) {
  const fs::path path = fresh_folder() / "f.safetensors";
  const std::vector<float> numbers(10'000, 2.5f);
  write_safetensors(path, {view_of("a", numbers)}, {});
  const std::string before = read_file(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  write_safetensors(path, file.tensors(), file.metadata());
  EXPECT_TRUE(read_file(path) == before);
}

TEST(SafetensorsFile, ThatCannotBeWrittenLeavesTheOldOneAndNoTemporary) {
  const fs::path folder = fresh_folder();
  const std::vector<float> numbers = {1};
  fs::create_directories(folder / "f.safetensors" / "in the way");
  EXPECT_THROW(write_safetensors(folder / "f.safetensors", {view_of("a", numbers)}, {}), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  expect_refused([&] { SafetensorsFile::open(folder / "f.safetensors"); }, {"not a regular file"});
}

TEST(SafetensorsFile, IsNotWrittenWhenAReaderWouldRefuseIt) {
  const fs::path path = fresh_folder() / "f.safetensors";
  const std::vector<float> numbers = {1, 2};
  TensorView wrong = view_of("a", numbers);
  EXPECT_THROW(write_safetensors(path, {wrong, wrong}, {}), Error);
  wrong.shape = {3};
  EXPECT_THROW(write_safetensors(path, {wrong}, {}), Error);
  EXPECT_THROW(write_safetensors(path, {view_of("__metadata__", numbers)}, {}), Error);
  EXPECT_FALSE(fs::exists(path));
}

TEST(MappedFile, RefusesWhatIsNotARegularFileWithoutWaiting) {
  const fs::path folder = fresh_folder();
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_refused([&] { MappedFile::open(folder / "pipe"); }, {"pipe", "not a regular file"});
  expect_refused([&] { MappedFile::open(folder); }, {"not a regular file"});
  expect_refused([&] { MappedFile::open("/dev/zero"); }, {"/dev/zero", "not a regular file"});
  expect_refused([&] { MappedFile::open(folder / "none"); }, {"none", "No such file"});
  write_file(folder / "empty", "");
  EXPECT_TRUE(MappedFile::open(folder / "empty").bytes().empty());
}

// Prevents: training that changes the model's own file, or that another run's pages see.
TEST(MappedFile, KeepsWhatIsWrittenToItsMemoryFromTheFile) {
  const fs::path path = fresh_folder() / "f";
  write_file(path, std::string(10000, 'a'));
  const MappedFile file = MappedFile::open(path, Pages::copy_on_write);
  const MappedFile other = MappedFile::open(path, Pages::copy_on_write);
  const_cast<std::byte&>(file.bytes()[5000]) = std::byte{'b'};
  EXPECT_EQ(file.bytes()[5000], std::byte{'b'});
  EXPECT_EQ(other.bytes()[5000], std::byte{'a'});
  EXPECT_EQ(read_file(path), std::string(10000, 'a'));
}

// Prevents: letting go of a page that a neighbor wrote to, or of memory that no file can bring
// back.
TEST(MappedFile, ReleasesWholePagesOfItsOwnAlone) {
  const fs::path path = fresh_folder() / "f";
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  write_file(path, std::string(4 * page, 'a'));
  const MappedFile file = MappedFile::open(path, Pages::copy_on_write);
  const auto at = [&](size_t i) -> std::byte& { return const_cast<std::byte&>(file.bytes()[i]); };
  for (size_t i = 0; i < 4; ++i) at(i * page) = std::byte{'b'};
  file.release(file.bytes().subspan(page - 1, 2 * page + 2));
  EXPECT_EQ(at(0), std::byte{'b'});
  EXPECT_EQ(at(page), std::byte{'a'});  // read from the file again
  EXPECT_EQ(at(2 * page), std::byte{'a'});
  EXPECT_EQ(at(3 * page), std::byte{'b'});
  std::vector<std::byte> own(4 * page, std::byte{'c'});
  file.release(own);
  EXPECT_EQ(own, std::vector(4 * page, std::byte{'c'}));
}

TEST(Dtype, NamesLeadBackToTheDtype) {
  for (int i = 0; i <= static_cast<int>(Dtype::U64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_named(name_of(dtype)), dtype);
  }
  EXPECT_EQ(dtype_named("f32"), std::nullopt);
  EXPECT_EQ(block_bits(Dtype::BF16), 16u);
}

}  // namespace
}  // namespace alambic::safetensors_test
