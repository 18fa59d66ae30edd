// What a data set takes of the memory. 130 MiB of jsonl once took 1.06 GiB.
#include <gtest/gtest.h>

#include <fstream>

#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/text/data/token_spool.h"
#include "alambic/text/dataset.h"

namespace alambic::data_memory_test {
namespace {

// Resident memory in MiB, the pages of mapped files among it.
double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

struct DataMemory : testing::Test {
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "a sanitizer keeps what was freed";
#endif
  }
};

TEST_F(DataMemory, OfRowsIsBoundedWhateverTheirFilesSize) {
  const TemporaryFolder folder;
  const std::string name = (folder.path() / "rows.jsonl").string();
  constexpr int64_t count = 60'000;
  {
    std::ofstream file(name);
    const std::string text(1000, 'x');
    for (int64_t i = 0; i < count; ++i) file << "{\"prompt\": \"" << text << i << "\"}\n";
  }
  ASSERT_GT(file_bytes(name), uint64_t{58} << 20);
  const double before = resident_mib();
  double most = 0;
  const Examples rows(Dataset::open(name), {{"prompt"}});
  ASSERT_EQ(rows.size(), static_cast<size_t>(count));
  most = std::max(most, resident_mib());
  for (size_t i = 0; i < rows.size(); ++i) {
    // In another order than in the file, as training does.
    const Example row = rows[i * 7919 % rows.size()];
    ASSERT_GT(row.prompt.size(), 1000u);
    if (i % 1000 == 0) most = std::max(most, resident_mib());
  }
  EXPECT_LT(most - before, 32) << "MiB of a file of 58 MiB";
}

TEST_F(DataMemory, OfTokensIsBounded) {
  const double before = resident_mib();
  TokenSpool tokens;
  std::vector<int32_t> piece(100'000);
  for (int32_t i = 0; i < 200; ++i) {
    std::ranges::fill(piece, i);
    tokens.add(piece);
  }
  EXPECT_EQ(tokens.size(), 20'000'000);
  EXPECT_LT(resident_mib() - before, 16) << "MiB of 76 MiB of tokens";
  // Across what is on the disk and what is in memory, and all of it.
  for (const int64_t at : {int64_t{0}, int64_t{99'999}, int64_t{10'499'999}, int64_t{19'900'000}}) {
    const std::vector<int32_t> read = tokens.read(at, 100'000);
    ASSERT_EQ(read.size(), 100'000u);
    EXPECT_EQ(read.front(), at / 100'000);
    EXPECT_EQ(read.back(), (at + 99'999) / 100'000);
  }
}

}  // namespace
}  // namespace alambic::data_memory_test
