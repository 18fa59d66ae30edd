#include "tests/device/simulated_device.h"

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/TensorImpl.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "alambic/kernels/device_attention.h"
#include "alambic/tensor/device.h"
#include "tests/device/simulated_graphs.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/simulated_memory.h"
#include "tests/device/simulated_streams.h"

namespace alambic::simulated {

namespace {

struct Guard final : c10::impl::DeviceGuardImplInterface {
  using Device = c10::Device;
  using Stream = c10::Stream;
  c10::DeviceType type() const override { return kType; }
  Device exchangeDevice(Device /*device*/) const override { return kDevice; }
  Device getDevice() const override { return kDevice; }
  void setDevice(Device /*device*/) const override {}
  void uncheckedSetDevice(Device /*device*/) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  Stream getStream(Device /*device*/) const override { return current_stream(); }
  Stream getDefaultStream(Device /*device*/) const override {
    return Stream(Stream::DEFAULT, kDevice);
  }
  Stream getNewStream(Device /*device*/, int /*priority*/) const override { return next_stream(); }
  Stream getStreamFromGlobalPool(Device /*device*/, bool /*high*/) const override {
    return next_stream();
  }
  Stream exchangeStream(Stream stream) const override { return exchange_stream(stream); }
  void* getStreamNativeHandle(const Stream stream) const override { return handle_of(stream); }
  bool queryStream(const Stream& stream) const override { return is_done(stream); }
  void synchronizeStream(const Stream& stream) const override {
    refuse_while_recording("to wait for a stream");
    wait_for(stream);
  }
  void synchronizeDevice(const c10::DeviceIndex /*device*/) const override {
    refuse_while_recording("to wait for the device");
    wait_for_all_streams();
  }

  void record(void** event, const Stream& stream, const c10::DeviceIndex /*device*/,
              const c10::EventFlag /*flag*/) const override {
    *event = record_event(*event, stream);
  }
  void block(void* event, const Stream& stream) const override { let_wait(stream, event); }
  bool queryEvent(void* event) const override { return is_done(event); }
  void synchronizeEvent(void* event) const override {
    refuse_while_recording("to wait for an event");
    wait_for(event);
  }
  void destroyEvent(void* event, const c10::DeviceIndex /*device*/) const noexcept override {
    destroy_event(event);
  }
  void recordDataPtrOnStream(const c10::DataPtr& /*data*/, const Stream& /*s*/) const override {}
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    c10::StorageImpl* impl = storage.unsafeGetStorageImpl();
    c10::DataPtr next = Memory::of_device().allocate(bytes);
    const size_t kept = std::min(bytes, impl->nbytes());
    if (kept > 0) Memory::of_device().copy_data(next.get(), impl->data(), kept);
    impl->set_data_ptr_noswap(std::move(next));
    impl->set_nbytes(bytes);
  }
};

}  // namespace

void install() {
  static Guard* guard = nullptr;
  if (guard != nullptr) return;
  guard = new Guard;
  Memory::of_device().open();
  c10::register_privateuse1_backend("simulated");
  c10::SetAllocator(kType, &Memory::of_device());
  c10::impl::device_guard_impl_registry[static_cast<size_t>(kType)].store(guard);
  at::RegisterPrivateUse1HooksInterface(new Hooks);
  simulated_device = [] { return kDevice; };
  use_kernels();
  use_graphs();
  // Tried here, so that the launches of the trial are no test's.
  kernels::on_device::has_flash_attention(kDevice);
}

void set_memory(size_t bytes) { Memory::of_device().set_limit(bytes); }

at::Tensor host_view(const at::Tensor& t) {
  const size_t bytes = t.storage().nbytes();
  char* begin = static_cast<char*>(t.storage().mutable_data()) + Memory::of_device().shift();
  // Resizable, as an operator's out argument must be.
  c10::Storage storage(c10::Storage::use_byte_size_t{}, bytes,
                       c10::DataPtr(bytes > 0 ? begin : nullptr, c10::Device(c10::kCPU)),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  at::Tensor view = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), t.dtype());
  c10::TensorImpl* impl = view.unsafeGetTensorImpl();
  impl->set_storage_offset(t.storage_offset());
  impl->set_sizes_and_strides(t.sizes(), t.strides());
  return view;
}

at::Tensor result_of(const at::Tensor& on_host) {
  if (!on_host.defined()) return on_host;
  at::Tensor result =
      at::empty_strided(on_host.sizes(), on_host.strides(), on_host.options().device(kDevice));
  host_view(result).copy_(on_host);
  return result;
}

}  // namespace alambic::simulated
