#include "alambic/remote/journal.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/remote/journal_usage.h"

static std::atomic<int> syncs = 0;

// In the place of the C library's.
extern "C" int fdatasync(int file) {
  ++syncs;
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

namespace alambic::journal_test {
namespace {

constexpr Journal::Facts facts{.usage = {.input_tokens = 7, .output_tokens = 2}};

std::string reply(int i) { return std::string(50 + static_cast<size_t>(i), 'a') + "\n{\"key\":\""; }

void add(Journal& journal, const std::string& key, const std::string& bytes) {
  const Journal::Reply one{.key = key, .bytes = bytes, .facts = facts};
  journal.add({&one, 1});
}

struct JournalFile : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path() / "remote", file = folder / "rank-0.journal";

  void fill(int replies) {
    Journal journal(folder, "rank-0");
    for (int i = 0; i < replies; ++i) add(journal, "key" + std::to_string(i), reply(i));
  }
};

TEST_F(JournalFile, GivesBackWhatItWasGiven) {
  fill(3);
  const Journal journal(folder, "rank-0");
  EXPECT_EQ(journal.replies(), 3);
  EXPECT_EQ(journal.usage(), (Usage{.input_tokens = 21, .output_tokens = 6}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(journal.find("key" + std::to_string(i)), reply(i));
  EXPECT_EQ(journal_usage(folder).usage, journal.usage());
  EXPECT_EQ(journal_usage(folder).replies, 3);
  EXPECT_EQ(journal_usage(scratch.path() / "none").replies, 0);
  EXPECT_FALSE(journal.find("key3"));
}

// Bug: a crash within a write costs more than that reply, or a later reply lies in its place.
TEST_F(JournalFile, SurvivesACutAtEveryByte) {
  fill(2);
  const std::string whole = read_file(file);
  fill(3);
  const std::string more = read_file(file);
  for (size_t cut = whole.size(); cut < more.size(); cut += 7) {
    write_file(file, more.substr(0, cut));
    {
      Journal journal(folder, "rank-0");
      EXPECT_EQ(journal.replies(), 2) << cut;
      add(journal, "key9", reply(9));
    }
    const Journal journal(folder, "rank-0");
    ASSERT_EQ(journal.replies(), 3) << cut;
    EXPECT_EQ(journal.find("key1"), reply(1)) << cut;
    EXPECT_EQ(journal.find("key9"), reply(9)) << cut;
  }
}

// Bug: the replies to one request wait for the disk one after another: 64 completions of a step
// took longer to keep than to grade.
TEST_F(JournalFile, KeepsManyRepliesAtOnce) {
  std::vector<Journal::Reply> replies;
  for (int i = 0; i < 64; ++i) {
    replies.push_back({.key = "key" + std::to_string(i), .bytes = reply(i), .facts = facts});
  }
  std::string whole;
  {
    Journal journal(folder, "rank-0");
    const int before = syncs;
    journal.add(replies);
    EXPECT_EQ(syncs - before, 1);
    EXPECT_EQ(journal.find("key63"), reply(63));
    whole = read_file(file);
  }
  // Those that were written before a crash count.
  write_file(file, whole.substr(0, whole.size() / 2));
  const Journal journal(folder, "rank-0");
  EXPECT_GT(journal.replies(), 20);
  EXPECT_LT(journal.replies(), 40);
  for (int i = 0; i < journal.replies(); ++i) {
    EXPECT_EQ(journal.find("key" + std::to_string(i)), reply(i));
  }
}

// Bug: one damaged byte makes all later replies unreadable, or is taken for a grade.
TEST_F(JournalFile, LosesToDamageOneReplyAlone) {
  fill(3);
  const std::string whole = read_file(file);
  for (size_t at = 0; at < whole.size(); at += 11) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write_file(file, damaged);
    const Journal journal(folder, "rank-0");
    int there = 0;
    for (int i = 0; i < 3; ++i) {
      const auto found = journal.find("key" + std::to_string(i));
      if (!found) continue;
      EXPECT_EQ(*found, reply(i)) << at;
      ++there;
    }
    EXPECT_GE(there, 2) << at;
  }
}

TEST_F(JournalFile, ReadsThoseOfOtherRanks) {
  fill(2);
  Journal other(folder, "rank-1");
  EXPECT_EQ(other.find("key1"), reply(1));
  add(other, "key5", reply(5));
  EXPECT_EQ(Journal(folder, "rank-0").find("key5"), reply(5));
}

// Bug: a reply is used before it is safe, and asked for again after the process was killed.
TEST_F(JournalFile, HoldsAllThatWasAddedWhenTheProcessIsKilled) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Journal journal(folder, "rank-0");
    for (int i = 0;; ++i) {
      add(journal, "key" + std::to_string(i), reply(i % 40));
      if (::write(told[1], &i, sizeof i) != sizeof i) ::_exit(1);
    }
  }
  int last = -1;
  while (last < 20)
    ASSERT_EQ(::read(told[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(told[1]);
  while (::read(told[0], &last, sizeof last) == static_cast<ssize_t>(sizeof last)) continue;
  ::close(told[0]);
  const Journal journal(folder, "rank-0");
  for (int i = 0; i <= last; ++i) {
    EXPECT_EQ(journal.find("key" + std::to_string(i)), reply(i % 40)) << i;
  }
}

}  // namespace
}  // namespace alambic::journal_test
