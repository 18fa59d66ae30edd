#include "alambic/report/tensorboard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "alambic/base/error.h"

namespace alambic::tensorboard_test {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

TEST(Crc32c, GivesTheKnownAnswersOfRfc3720) {
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

// Made with tensorboard 2.21.0: Event(wall_time=1700000000.25, step=300) with two values,
// SerializeToString, then RecordWriter.
TEST(EventFile, HasTheBytesThatTensorBoardWrites) {
  const std::string event =
      scalar_event(1700000000.25, 300, {{"train/loss", 1.5}, {"valid/loss", -0.1}});
  const std::string golden =
      "0900001040fc54d94110ac022a260a110a0a747261696e2f6c6f7373150000c03f"
      "0a110a0a76616c69642f6c6f737315cdccccbd";
  EXPECT_EQ(hex(event), golden);
  EXPECT_EQ(hex(tfrecord(event)), "34000000000000005e33175c" + golden + "9238ae50");
}

TEST(EventFile, GroupsTagsByWhatTheyMeasure) {
  EXPECT_EQ(tensorboard_tag("loss"), "train/loss");
  EXPECT_EQ(tensorboard_tag("valid_loss"), "valid/loss");
  EXPECT_EQ(tensorboard_tag("tokens"), "train/tokens");
  EXPECT_EQ(tensorboard_tag("tokens_per_second"), "speed/tokens_per_second");
  EXPECT_EQ(tensorboard_tag("generate_seconds"), "speed/generate_seconds");
  EXPECT_EQ(tensorboard_tag("peak_memory_bytes"), "speed/peak_memory_bytes");
}

// The payloads of a file of records whose lengths are below 256.
std::vector<std::string> payloads(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_TRUE(entry.path().filename().string().starts_with("events.out.tfevents."));
    const std::string bytes = read_file(entry.path());
    for (size_t at = 0; at + 16 < bytes.size();) {
      const size_t length = static_cast<unsigned char>(bytes[at]);
      found.push_back(bytes.substr(at + 12, length));
      EXPECT_EQ(bytes.substr(at, length + 16), tfrecord(found.back()));
      at += length + 16;
    }
  }
  return found;
}

TEST(EventFile, BeginsWithItsVersionAndLeavesStepAndTextOut) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("alambic-events-{}", ::getpid());
  fs::create_directory(folder);
  MetricsRow row;
  row.add("step", int64_t{7});
  row.add("phase", "learn");
  row.add("loss", 0.5);
  EventWriter(folder).append(row);
  const std::vector<std::string> events = payloads(folder);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].substr(9),
            "\x1a\x0d"
            "brain.Event:2");
  EXPECT_EQ(events[1].substr(9), scalar_event(0, 7, {{"train/loss", 0.5}}).substr(9));
  fs::remove_all(folder);
}

TEST(EventFile, ResumingTellsTensorBoardToForgetLaterSteps) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("alambic-resume-{}", ::getpid());
  fs::create_directory(folder);
  EventWriter writer(folder, 20);
  const std::vector<std::string> events = payloads(folder);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(hex(events[1].substr(9)),
            "1015"
            "3a02"
            "0801");  // step 21, SessionLog START
  fs::remove_all(folder);
}

TEST(EventFile, ARowWithoutAStepIsOurBug) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("alambic-nostep-{}", ::getpid());
  fs::create_directory(folder);
  EXPECT_THROW(EventWriter(folder).append({}), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace alambic::tensorboard_test
