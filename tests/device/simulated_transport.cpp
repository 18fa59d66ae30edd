#include "tests/device/simulated_transport.h"

#include <unistd.h>

#include <cstdio>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "alambic/dist/device_transport.h"
#include "alambic/tensor/device.h"
#include "tests/device/simulated_device.h"

namespace alambic::simulated {

namespace {

int64_t messages = 0;

using Gloo = c10d::ProcessGroupGloo;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

// Work of a device: the host that has told the device to wait asks whether it is done.
class DeviceWork : public c10d::Work {
 public:
  explicit DeviceWork(WorkPtr work) : work_(std::move(work)) {}
  bool isCompleted() override { return done_; }
  bool wait(std::chrono::milliseconds timeout) override { return done_ = work_->wait(timeout); }

 private:
  WorkPtr work_;
  bool done_ = false;
};

WorkPtr of_device(WorkPtr work) { return c10::make_intrusive<DeviceWork>(std::move(work)); }

class DeviceBackend : public c10d::Backend {
 public:
  DeviceBackend(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                std::chrono::milliseconds timeout)
      : c10d::Backend(rank, size) {
    auto options = Gloo::Options::create(timeout);
    options->devices = {Gloo::createDeviceForHostname("127.0.0.1")};
    gloo_ = c10::make_intrusive<Gloo>(store, rank, size, options);
  }

  const std::string getBackendName() const override { return "simulated"; }

  WorkPtr allreduce(std::vector<at::Tensor>& tensors,
                    const c10d::AllreduceOptions& options) override {
    std::vector<at::Tensor> seen = {seen_by_kernels(tensors.at(0))};
    return of_device(gloo_->allreduce(seen, options));
  }
  WorkPtr broadcast(std::vector<at::Tensor>& tensors,
                    const c10d::BroadcastOptions& options) override {
    std::vector<at::Tensor> seen = {seen_by_kernels(tensors.at(0))};
    return of_device(gloo_->broadcast(seen, options));
  }
  WorkPtr _allgather_base(at::Tensor& all, at::Tensor& own,
                          const c10d::AllgatherOptions& options) override {
    at::Tensor to = seen_by_kernels(all), from = seen_by_kernels(own);
    --messages;
    return of_device(gloo_->_allgather_base(to, from, options));
  }
  WorkPtr _reduce_scatter_base(at::Tensor& part, at::Tensor& all,
                               const c10d::ReduceScatterOptions& options) override {
    at::Tensor to = seen_by_kernels(part), from = seen_by_kernels(all);
    --messages;
    return of_device(gloo_->_reduce_scatter_base(to, from, options));
  }
  WorkPtr alltoall_base(at::Tensor& arrives, at::Tensor& sent, std::vector<int64_t>& arriving,
                        std::vector<int64_t>& sending,
                        const c10d::AllToAllOptions& options) override {
    at::Tensor to = seen_by_kernels(arrives), from = seen_by_kernels(sent);
    --messages;
    return of_device(gloo_->alltoall_base(to, from, arriving, sending, options));
  }

 private:
  // Behind what the device was given before, as NCCL's stream is.
  static at::Tensor seen_by_kernels(const at::Tensor& tensor) {
    synchronize(kDevice);
    ++messages;
    return host_view(tensor);
  }

  c10::intrusive_ptr<Gloo> gloo_;
};

void* join(void* store, int rank, int size, int64_t timeout_ms) {
  c10::intrusive_ptr<c10d::Backend> backend = c10::make_intrusive<DeviceBackend>(
      c10::intrusive_ptr<c10d::Store>::reclaim_copy(static_cast<c10d::Store*>(store)), rank, size,
      std::chrono::milliseconds(timeout_ms));
  return backend.release();
}

void own_name(int, char* text, int64_t size) {
  std::snprintf(text, static_cast<size_t>(size), "of process %d", ::getpid());
}

void same_name(int, char* text, int64_t size) {
  std::snprintf(text, static_cast<size_t>(size), "one");
}

}  // namespace

void use_transport(bool one_device) {
  use_device_transport(kType, {.join = join, .name = one_device ? same_name : own_name});
}

int64_t take_messages() { return std::exchange(messages, 0); }

}  // namespace alambic::simulated
