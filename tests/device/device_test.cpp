// The simulated device itself: a tool that never fails proves nothing.
#include "alambic/tensor/device.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/kernels/norm.h"
#include "alambic/tensor/cuda_library.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"

namespace alambic::device_test {
namespace {

using simulated::kDevice;

struct SimulatedDevice : testing::Test {
  void SetUp() override {
    if (!is_simulated()) GTEST_SKIP() << "the tests run on another device";
  }
};
using SimulatedDeviceDeathTest = SimulatedDevice;
using DeviceMemory = SimulatedDevice;
using ChooseDevice = SimulatedDevice;

at::TensorOptions there(at::ScalarType type = at::kFloat) {
  return at::TensorOptions().dtype(type).device(kDevice);
}

TEST_F(SimulatedDevice, ComputesWhatTheCpuDoes) {
  const Tensor a = at::randn({8, 5}), b = at::randn({5, 3});
  Tensor x = a.to(kDevice).set_requires_grad(true), y = b.to(kDevice).set_requires_grad(true);
  at::matmul(x, y).tanh().square().sum().backward();
  Tensor u = a.clone().set_requires_grad(true), v = b.clone().set_requires_grad(true);
  at::matmul(u, v).tanh().square().sum().backward();
  EXPECT_TRUE(at::equal(x.grad().cpu(), u.grad()));
  EXPECT_TRUE(at::equal(y.grad().cpu(), v.grad()));
}

// On a GPU too a host that reads or writes device memory dies.
TEST_F(SimulatedDeviceDeathTest, HidesItsMemoryFromTheHost) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const Tensor x = at::ones({4}, there());
  EXPECT_EXIT(
      {
        volatile float read = *x.const_data_ptr<float>();
        static_cast<void>(read);
      },
      testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(*x.mutable_data_ptr<float>() = 1, testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(*simulated::host_view(x).const_data_ptr<float>(), 1);
}

TEST_F(SimulatedDevice, AllocatesNoZeros) {
  EXPECT_TRUE(at::isnan(at::empty({64}, there())).all().item<bool>());
}

// A host that reads what it asked for without a wait, or hands over what it changes too early.
TEST_F(SimulatedDevice, ShowsAMissingWait) {
  const Tensor x = at::ones({4}, there()), y = at::zeros({4});
  y.copy_(x, /*non_blocking=*/true);
  EXPECT_EQ(y[0].item<double>(), 0);
  synchronize(kDevice);
  EXPECT_EQ(y[0].item<double>(), 1);
  const Tensor source = at::full({4}, 2.0), z = at::zeros({4}, there());
  z.copy_(source, true);
  source.fill_(3);
  EXPECT_EQ(z.cpu()[0].item<double>(), 3);
}

TEST_F(SimulatedDevice, OrdersStreamsByEventsAlone) {
  const c10::impl::VirtualGuardImpl guard(simulated::kType);
  const Tensor x = at::zeros({4}, there()), source = at::ones({4});
  c10::Event copied(simulated::kType);
  {
    const c10::StreamGuard other(guard.getStreamFromGlobalPool(kDevice));
    x.copy_(source, true);
    copied.record(guard.getStream(kDevice));
  }
  EXPECT_EQ((x + 1).sum().item<double>(), 4) << "no kernel waits for another stream by itself";
  copied.block(guard.getStream(kDevice));
  EXPECT_EQ((x + 1).sum().item<double>(), 8);
}

// A kernel on another stream than the operators around it reads what is not there yet.
TEST_F(SimulatedDevice, KernelsRunOnTheCurrentStream) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  const c10::impl::VirtualGuardImpl guard(simulated::kType);
  const Tensor x = at::zeros({2, 8}, there()), source = at::full({2, 8}, 3.0),
               weight = at::ones({8});
  const Tensor w = weight.to(kDevice);
  const c10::StreamGuard other(guard.getStreamFromGlobalPool(kDevice));
  x.copy_(source, /*non_blocking=*/true);
  const Tensor y = kernels::rms_norm(x, w, 1e-6);
  EXPECT_NEAR(y.cpu()[1][7].item<double>(), 1, 1e-5);
}

TEST_F(SimulatedDevice, KernelsCountAsTheirLaunches) {
  if (!simulated::has_kernels()) GTEST_SKIP() << "with sanitizers there are no kernels";
  const Tensor x = at::ones({2, 8}, there()).requires_grad_(), w = at::ones({8}, there());
  simulated::take_counts();
  const Tensor y = kernels::rms_norm(x, w, 1e-6);
  EXPECT_EQ(simulated::take_counts().operators, 1);
  {
    const simulated::WithoutKernels by_operators;
    EXPECT_TRUE(at::allclose(kernels::rms_norm(x, w, 1e-6).cpu(), y.cpu()));
    EXPECT_GT(simulated::take_counts().operators, 1);
  }
}

TEST_F(SimulatedDevice, CountsLaunchesAndCopies) {
  const Tensor host = at::ones({8});
  simulated::take_counts();
  const Tensor x = host.to(kDevice), y = (x + 1).view({2, 4}).t();
  const double sum = y.sum().item<double>();
  const simulated::Counts counts = simulated::take_counts();
  EXPECT_EQ(sum, 16);
  EXPECT_EQ(counts.operators, 2);
  EXPECT_EQ(counts.uploads, 1);
  EXPECT_EQ(counts.reads, 1);
  EXPECT_EQ(counts.bytes, 32);
}

// Bug: the memory plan of a GPU was infinite, and peaks were the host's.
TEST_F(DeviceMemory, IsThatOfTheDevice) {
  const double before = free_device_memory(kDevice);
  reset_peak_memory(kDevice);
  const double idle = peak_memory(kDevice);
  {
    const Tensor x = at::empty({1 << 20}, there());
    EXPECT_EQ(before - free_device_memory(kDevice), 4 << 20);
  }
  EXPECT_EQ(free_device_memory(kDevice), before);
  EXPECT_EQ(peak_memory(kDevice) - idle, 4 << 20);
  reset_peak_memory(kDevice);
  EXPECT_EQ(peak_memory(kDevice), idle);
  simulated::set_memory(1 << 16);
  EXPECT_THROW(at::empty({1 << 20}, there()), c10::OutOfMemoryError);
  simulated::set_memory(0);
}

std::string refusal(const std::string& name, Exit exit) {
  try {
    choose_device(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), exit) << error.what();
    return error.what();
  }
  ADD_FAILURE() << name << " was taken";
  return "";
}

// Bug: every failure was "no NVIDIA GPU can be used on this machine".
TEST_F(ChooseDevice, SaysWhatWasLookedForAndFound) {
  EXPECT_EQ(choose_device("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(choose_device("simulated"), kDevice);
  for (const char* name : {"cuba", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:1000", ""}) {
    EXPECT_NE(refusal(name, Exit::input).find("cuda:N"), std::string::npos) << name;
  }
  if (access("/dev/nvidiactl", F_OK) == 0) GTEST_SKIP() << "there is a driver";
  EXPECT_NE(refusal("cuda:1", Exit::environment).find("/dev/nvidiactl"), std::string::npos);
  EXPECT_EQ(choose_device("auto"), at::Device(at::kCPU));
}

// Bug: with an empty CUDA_VISIBLE_DEVICES, or a wrong one, the driver was said to be too old.
TEST_F(ChooseDevice, SaysWhatHidesTheGpus) {
  EXPECT_NE(no_gpu_shown(nullptr).find("older than 580"), std::string::npos);
  for (const auto& [visible, said] :
       {std::pair("", "is empty, which hides all"), {"foo", "is 'foo'"}}) {
    const std::string reason = no_gpu_shown(visible);
    EXPECT_NE(reason.find(said), std::string::npos) << reason;
    EXPECT_EQ(reason.find("older"), std::string::npos) << reason;
  }
}

TEST_F(ChooseDevice, HasNoSimulatedOneWithoutATest) {
  auto* const kept = std::exchange(simulated_device, nullptr);
  EXPECT_NE(refusal("simulated", Exit::input).find("found 'simulated'"), std::string::npos);
  simulated_device = kept;
}

}  // namespace
}  // namespace alambic::device_test
