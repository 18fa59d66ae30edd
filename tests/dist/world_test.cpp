#include "alambic/dist/world.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/free_port.h"
#include "tests/dist/rank_processes.h"

namespace alambic::world_test {
namespace {

TEST(World, OfOneProcessDoesNothing) {
  const World world;
  EXPECT_TRUE(world.alone() && world.leads());
  const Tensor numbers = at::full({3}, 2.0);
  world.sum({numbers}, "testing");
  EXPECT_EQ(numbers[0].item<float>(), 2);
  EXPECT_EQ(world.sum(int64_t{5}, "testing"), 5);
  EXPECT_EQ(world.gather("text", "testing"), std::vector<std::string>{"text"});
  world.wait_for_all("testing");
  world.require_equal("a", "options");
}

TEST(World, SharesItemsAlmostEvenly) {
  for (const int64_t size : {1, 2, 3, 7}) {
    for (const int64_t count : {0, 1, 2, 10, 64}) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < size; ++rank) {
        EXPECT_EQ(count * rank / size, next);
        const int64_t end = count * (rank + 1) / size;
        EXPECT_LE(std::abs((end - next) * size - count), size);
        next = end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(Worlds, OfTwoAndThreeTellEachOther) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.TellsTheOthers").exit_code, 0);
  EXPECT_EQ(run_ranks(3, "DISABLED_Rank.TellsTheOthers").exit_code, 0);
}

// One rank of the tests above.
TEST(DISABLED_Rank, TellsTheOthers) {
  const World world(launch_environment(), 60);
  const int64_t size = world.size(), rank = world.rank();
  const auto sum = static_cast<double>(size * (size + 1) / 2);
  // More than one message, narrow floats, an empty tensor and a view.
  const Tensor big = at::full({5 << 20}, static_cast<double>(rank + 1));
  const Tensor narrow = at::full({7}, static_cast<double>(rank + 1), at::kBFloat16);
  const Tensor base = at::zeros({4, 2});
  const Tensor view = base.select(1, 0);
  view.fill_(static_cast<double>(rank + 1));
  world.sum({big, at::empty({0}), narrow, view}, "testing");
  EXPECT_EQ(big[0].item<double>(), sum);
  EXPECT_EQ(big[-1].item<double>(), sum);
  EXPECT_EQ(narrow[6].item<double>(), sum);
  EXPECT_EQ(base.sum().item<double>(), 4 * sum);
  EXPECT_EQ(world.sum(rank + 1, "testing"), static_cast<int64_t>(sum));
  const std::vector<int64_t> list(static_cast<size_t>(rank), 1);
  const std::vector<int64_t> lists = world.sum(list, "testing");
  ASSERT_EQ(std::ssize(lists), size - 1);
  for (int64_t i = 0; i + 1 < size; ++i) EXPECT_EQ(lists[i], size - 1 - i);
  // Texts of other lengths, with a NUL.
  const auto texts = world.gather(std::string(static_cast<size_t>(rank), '\0'), "testing");
  ASSERT_EQ(std::ssize(texts), size);
  for (int64_t r = 0; r < size; ++r) EXPECT_EQ(std::ssize(texts[r]), r);
  EXPECT_EQ(world.from_first(rank == 0 ? "first" : "other", "testing"), "first");
  EXPECT_EQ(world.from_first(static_cast<double>(rank) + 0.5, "testing"), 0.5);
  // Parts of which an owner's end lies inside of a tensor, between tensors, and an empty one.
  const std::vector<Tensor> whole = {at::arange(7, at::kFloat), at::empty({0}),
                                     at::arange(6, at::kFloat).view({2, 3}).to(at::kBFloat16),
                                     at::arange(5, at::kFloat)};
  std::vector<Tensor> known;
  int64_t place = 0;
  for (const Tensor& tensor : whole) {
    const auto [first, last] = world.part(place, tensor.numel(), 18);
    known.push_back(at::full_like(tensor, -1));
    const Tensor part = tensor.view({-1}).narrow(0, first, last - first);
    known.back().view({-1}).narrow(0, first, last - first).copy_(part);
    place += tensor.numel();
  }
  world.spread(known, "testing");
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(known[i].equal(whole[i])) << i;
  world.require_equal("same", "options");
  try {
    world.require_equal("a\nb" + std::to_string(rank), "options");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("options of rank 1"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("\"b1\", and \"b0\" there"), std::string::npos)
        << error.what();
  }
}

// Prevents an answer that is taken for another one's, rows that go to another rank, and a part of
// the ranks that sums over all or counts another part's neighbors as its own.
TEST(Worlds, OfTwoAndThreeSendAndSplit) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.SendsAndSplits").exit_code, 0);
  EXPECT_EQ(run_ranks(3, "DISABLED_Rank.SendsAndSplits").exit_code, 0);
}

TEST(DISABLED_Rank, SendsAndSplits) {
  const World world(launch_environment(), 60);
  const int64_t size = world.size(), rank = world.rank();
  const int64_t next = (rank + 1) % size, before = (rank + size - 1) % size;
  const std::string large(3 << 20, static_cast<char>('a' + rank));
  std::vector<Message> sent;
  sent.push_back(world.send("one", next, 1, "testing"));
  sent.push_back(world.send(large, next, 2, "testing"));
  sent.push_back(world.send("three", next, 1, "testing"));
  const auto received = [&](int64_t tag) {
    const Tensor bytes = world.receive(before, tag, "testing");
    return std::string(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  };
  EXPECT_EQ(received(2), std::string(3 << 20, static_cast<char>('a' + before)));
  EXPECT_EQ(received(1), "one");
  EXPECT_EQ(received(1), "three");
  for (Message& message : sent) message.wait();
  // A row more to each next rank, none to rank 0; those that come are as many from each.
  std::vector<int64_t> rows_to, rows_from(static_cast<size_t>(size), rank);
  for (int64_t to = 0; to < size; ++to) rows_to.push_back(to);
  const Tensor rows = at::full({size * (size - 1) / 2, 2}, rank, at::kBFloat16);
  const Tensor exchanged = world.exchange_rows(rows, rows_to, rows_from, "rows");
  ASSERT_EQ(exchanged.size(0), rank * size);
  for (int64_t from = 0; from < size; ++from) {
    EXPECT_TRUE((exchanged.narrow(0, from * rank, rank) == from).all().item<bool>());
  }
  EXPECT_EQ(world.received().at("rows"), (size - 1) * rank * 4);
  const std::shared_ptr<const World> part = world.split(size - 1);
  const bool last = rank == size - 1;
  EXPECT_EQ(part->size(), last ? 1 : size - 1);
  EXPECT_EQ(part->place().local_size, part->size());
  EXPECT_EQ(part->rank(), last ? 0 : rank);
  EXPECT_EQ(part->sum(int64_t{1}, "testing"), part->size());
  EXPECT_EQ(world.sum(int64_t{1}, "testing"), size);
}

// Prevents a job that hangs where one of its ranks has died.
// Prevents half an hour without a word where a process was not started, or meets elsewhere.
TEST(Worlds, SayForWhomTheyWait) {
  const LaunchEnvironment place{.rank = 0, .size = 2, .port = free_port(), .source = "the test"};
  testing::internal::CaptureStderr();
  try {
    const World world(place, 2);
    ADD_FAILURE() << "the other rank was there";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
  }
  const std::string told = testing::internal::GetCapturedStderr();
  const std::string expected = fmt::format(
      "waiting at 127.0.0.1:{} for the other ranks of the test, 2 in all, up to 2 s", place.port);
  EXPECT_NE(told.find(expected), std::string::npos) << told;
}

TEST(Worlds, EndWithOneRank) { EXPECT_EQ(run_ranks(3, "DISABLED_Rank.Dies").exit_code, 9); }

TEST(DISABLED_Rank, Dies) {
  const World world(launch_environment(), 60);
  world.wait_for_all("testing");
  if (world.rank() == 1) ::_exit(9);
  try {
    world.sum(1.0, "adding up");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
    EXPECT_NE(std::string(error.what()).find("adding up: a rank has ended"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace alambic::world_test
