#include "alambic/remote/server_record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/error.h"

namespace alambic::server_record_test {
namespace {

ServerRecord some_server() {
  return {.address = "https://host",
          .protocol = "vllm",
          .model = "big",
          .version = "1.2",
          .tokenizer = "abc",
          .k = 8,
          .positions = 64,
          .noise = 1e-5,
          .logp = {-1.5F, std::nanf(""), -0.25F}};
}

TEST(ServerRecord, IsReadAsItWasWritten) {
  const ServerRecord before = some_server();
  const ServerRecord after = server_record_of(json_of(before), "remote.json");
  EXPECT_EQ(json_of(after).dump(), json_of(before).dump());
  EXPECT_TRUE(std::isnan(after.logp[1]));
  const ServerChanges changes = changes_of(before, after, 0.05);
  EXPECT_TRUE(changes.other.empty());
  EXPECT_TRUE(changes.perhaps.empty());
  EXPECT_THROW(server_record_of({{"teacher", ""}}, "remote.json"), Error);
}

// Bug: what makes another teacher of a server passes, or what need not stops a run.
TEST(ServerRecord, TellsAnotherTeacherFromAnotherDay) {
  const std::pair<const char*, void (*)(ServerRecord&)> other[] = {
      {"model", [](ServerRecord& s) { s.model = "small"; }},
      {"protocol", [](ServerRecord& s) { s.protocol = "sglang"; }},
      {"tokenizer", [](ServerRecord& s) { s.tokenizer = "abd"; }},
      {"candidates", [](ServerRecord& s) { s.k = 4; }},
      {"temperature", [](ServerRecord& s) { s.temperature = 2; }},
      {"from one time to the next", [](ServerRecord& s) { s.noise = 0.01; }},
      {"other weights", [](ServerRecord& s) { s.logp[0] = -1.6F; }},
      {"other weights", [](ServerRecord& s) { s.logp.pop_back(); }}};
  for (const auto& [words, change] : other) {
    ServerRecord now = some_server();
    change(now);
    const ServerChanges changes = changes_of(some_server(), now, 0.05);
    ASSERT_EQ(changes.other.size(), 1u) << words;
    EXPECT_NE(changes.other[0].find(words), std::string::npos) << changes.other[0];
  }
  ServerRecord now = some_server();
  now.logp[0] = -1.52F;
  now.version = "1.3";
  now.positions = 128;
  const ServerChanges changes = changes_of(some_server(), now, 0.05);
  EXPECT_TRUE(changes.other.empty());
  EXPECT_EQ(changes.perhaps.size(), 2u);
}

}  // namespace
}  // namespace alambic::server_record_test
