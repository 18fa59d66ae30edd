// What ranks' devices send to each other without their hosts: NCCL's part, of which the simulated
// device has a stand-in.
#include <gtest/gtest.h>

#include <thread>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "alambic/base/error.h"
#include "alambic/base/launch_environment.h"
#include "alambic/dist/device_transport.h"
#include "alambic/dist/world.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_transport.h"
#include "tests/device/test_device.h"
#include "tests/dist/rank_processes.h"

namespace alambic::transport_test {
namespace {

Tensor on_device(const Tensor& numbers) { return numbers.to(test_device()); }

void expect_numbers(const Tensor& found, const Tensor& expected) {
  EXPECT_TRUE(found.cpu().equal(expected)) << found.cpu() << expected;
}

// What World asks of a transport, of the only rank of a job: all that one GPU can show.
TEST(DeviceTransport, OfOneRankMovesItsNumbers) {
  if (is_simulated()) simulated::use_transport();
  const auto own = [](const std::string& name) { return std::vector<std::string>{name}; };
  const DeviceTransport transport = device_transport(test_device(), 0, own);
  if (transport.join == nullptr) GTEST_SKIP() << "nothing that joins devices is here";
  const auto backend = join_devices(transport, c10::make_intrusive<c10d::HashStore>(), 0, 1,
                                    std::chrono::seconds(30));
  const auto done = [](const c10::intrusive_ptr<c10d::Work>& work) {
    work->wait();
    for (int i = 0; i < 1000 && !work->isCompleted(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(work->isCompleted());
    EXPECT_EQ(work->exception(), nullptr);
  };
  const Tensor numbers = at::arange(8, at::kFloat);
  std::vector<Tensor> one = {on_device(numbers)};
  done(backend->allreduce(one));
  expect_numbers(one.front(), numbers);
  done(backend->broadcast(one));
  expect_numbers(one.front(), numbers);
  Tensor all = on_device(at::zeros({8})), part = on_device(numbers);
  done(backend->_allgather_base(all, part));
  expect_numbers(all, numbers);
  Tensor sum = on_device(at::zeros({8}));
  done(backend->_reduce_scatter_base(sum, all));
  expect_numbers(sum, numbers);
}

struct Transports : testing::Test {
  static void between_two(const char* filter, const std::string& wanted = "") {
    EXPECT_EQ(run_ranks(2, filter, {{"ALAMBIC_NCCL", wanted}}).exit_code, 0);
  }
};

// Prevents numbers that pass through the host between devices that reach each other.
TEST_F(Transports, CarryWhatDevicesSend) { between_two("DISABLED_TransportRank.SendsByDevices"); }

// Prevents a job of ranks that share a GPU from ending in NCCL's refusal.
TEST_F(Transports, AreNotForRanksOnOneDevice) {
  if (!is_simulated()) GTEST_SKIP() << "two GPUs may be here";
  between_two("DISABLED_TransportRank.SharesADevice");
}

TEST_F(Transports, AreLeftOutByAnEnvironmentVariable) {
  between_two("DISABLED_TransportRank.SendsByHosts", "none");
}

// Prevents a misspelled variable from being told as a rank that has ended.
TEST_F(Transports, RefuseAnotherValueOfTheVariable) {
  between_two("DISABLED_TransportRank.NamesTheVariable", "off");
}

// A rank sends and asks for all that there is; `copies`: whether the host took part.
void tell_each_other(const World& world, bool copies) {
  const int64_t rank = world.rank();
  const Tensor numbers = on_device(at::full({5}, rank + 1.0));
  const Tensor narrow = on_device(at::full({3}, rank + 1.0, at::kBFloat16));
  const Tensor row = on_device(at::arange(4, at::kFloat) * (rank + 1.0));
  const Tensor own = on_device(at::full({2}, static_cast<double>(rank)));
  const Tensor spread = on_device(at::full({4}, static_cast<double>(rank)));
  const Tensor whole = on_device(at::zeros({4}));
  const Tensor rows = on_device(at::arange(3, at::kFloat).view({3, 1}) + 10.0 * rank);
  if (is_simulated()) simulated::take_counts();
  world.sum({numbers, narrow}, "testing");
  const Tensor reduced = world.reduce_rows(row, "testing");
  world.gather_rows(whole, own, "testing").wait();
  world.spread({spread}, "testing");
  // This rank keeps one row and sends two; of the other as many come.
  const Tensor arrived = world.exchange_rows(
      rows, rank == 0 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1},
      rank == 0 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 1}, "testing");
  if (is_simulated()) {
    const simulated::Counts counts = simulated::take_counts();
    EXPECT_EQ(counts.uploads + counts.reads > 0, copies);
    EXPECT_EQ(simulated::take_messages() > 0, !copies);
  }
  expect_numbers(numbers, at::full({5}, 3.0));
  expect_numbers(narrow, at::full({3}, 3.0, at::kBFloat16));
  expect_numbers(reduced, rank == 0 ? at::tensor({0.0F, 3.0F}) : at::tensor({6.0F, 9.0F}));
  expect_numbers(whole, at::tensor({0.0F, 0.0F, 1.0F, 1.0F}));
  expect_numbers(spread, at::tensor({0.0F, 0.0F, 1.0F, 1.0F}));
  expect_numbers(arrived, rank == 0 ? at::tensor({0.0F, 10.0F, 11.0F}).view({3, 1})
                                    : at::tensor({1.0F, 2.0F, 12.0F}).view({3, 1}));
  // Tensors of the host beside them.
  const Tensor on_host = at::full({2}, rank + 1.0);
  world.sum({numbers, on_host}, "testing");
  expect_numbers(on_host, at::full({2}, 3.0));
  expect_numbers(numbers, at::full({5}, 6.0));
}

TEST(DISABLED_TransportRank, SendsByDevices) {
  if (is_simulated()) simulated::use_transport();
  const World world(launch_environment(), 60);
  tell_each_other(world, false);
  tell_each_other(*world.group(2), false);
}

TEST(DISABLED_TransportRank, SendsByHosts) {
  if (is_simulated()) simulated::use_transport();
  tell_each_other(World(launch_environment(), 60), true);
}

TEST(DISABLED_TransportRank, NamesTheVariable) {
  const World world(launch_environment(), 60);
  try {
    world.sum({on_device(at::ones({1}))}, "testing");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_STREQ(error.what(), "the environment variable ALAMBIC_NCCL is 'off', expected none");
  }
}

TEST(DISABLED_TransportRank, SharesADevice) {
  simulated::use_transport(/*one_device=*/true);
  tell_each_other(World(launch_environment(), 60), true);
}

}  // namespace
}  // namespace alambic::transport_test
