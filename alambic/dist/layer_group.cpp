#include "alambic/dist/layer_group.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

#include "alambic/base/error.h"

namespace alambic {
namespace {

// Tensors begin where a vector register's load may: at multiples of 64 bytes for every dtype.
constexpr int64_t alignment = 64;

int64_t up_to(int64_t numbers, int64_t multiple) {
  return (numbers + multiple - 1) / multiple * multiple;
}

// Begins to copy on a stream of its own, beside what the device computes. What is returned makes
// the current stream wait for it.
std::function<void()> copy_beside(const Tensor& to, const Tensor& from) {
  const at::Device device = to.device();
  if (device.is_cpu()) {
    Tensor(to).copy_(from);
    return {};
  }
  const c10::impl::VirtualGuardImpl guard(device.type());
  const c10::Stream beside = guard.getStreamFromGlobalPool(device, /*isHighPriority=*/false);
  // The memory may be that of numbers which are still read.
  c10::Event before(device.type());
  before.record(guard.getStream(device));
  before.block(beside);
  const auto there = std::make_shared<c10::Event>(device.type());
  const c10::StreamGuard scope(beside);
  Tensor(to).copy_(from, /*non_blocking=*/true);
  there->record(beside);
  return [there, guard, device] { there->block(guard.getStream(device)); };
}

}  // namespace

Tensor hollow(at::IntArrayRef sizes, const at::TensorOptions& options) {
  return at::empty({1}, options.requires_grad(false)).expand(sizes);
}

int64_t sum_of_bits(const Tensor& numbers) {
  const at::ScalarType type = numbers.element_size() == 2   ? at::kShort
                              : numbers.element_size() == 4 ? at::kInt
                              : numbers.element_size() == 8 ? at::kLong
                                                            : at::kByte;
  return numbers.view(type).sum(at::kLong).item<int64_t>();
}

LayerGroup::LayerGroup(std::vector<Tensor> tensors, const std::vector<Tensor>& numbers,
                       std::shared_ptr<const World> world, WeightSource source, std::string what)
    : tensors_(std::move(tensors)),
      world_(std::move(world)),
      source_(source),
      what_(std::move(what)),
      trained_(tensors_.front().requires_grad()),
      element_(static_cast<int64_t>(tensors_.front().element_size())) {
  check(!trained_ || source != WeightSource::host, "trained weights are not kept on the host");
  const at::NoGradGuard no_grad;
  int64_t last = 0;
  for (const Tensor& tensor : tensors_) {
    places_.push_back(last);
    shapes_.push_back(tensor.sizes().vec());
    last = up_to(last + tensor.numel(), alignment);
  }
  // Rows are cut between numbers, not between registers.
  count_ = cut() ? tensors_.front().numel() : up_to(last, alignment * world_->size());
  Tensor row = at::zeros({count_}, numbers.front().options().requires_grad(false));
  for (size_t i = 0; i < tensors_.size(); ++i) {
    row.narrow(0, places_[i], numbers[i].numel()).copy_(numbers[i].detach().reshape({-1}));
  }
  sum_ = sum_of_bits(row);
  const at::Device device = tensors_.front().device();
  if (source_ == WeightSource::resident) {
    whole_ = row.to(device);
    part_ = own_part(whole_);
    point_to(whole_);
    return;
  }
  if (source_ == WeightSource::host) {
    on_host_ = row.to(at::kCPU);
    if (device.is_cuda()) on_host_ = on_host_.pin_memory();  // else a copy waits for the host
  } else {
    part_ = at::empty({count_ / world_->size()}, row.options().device(device));
    part_.copy_(own_part(row));
  }
  let_go();
}

Tensor LayerGroup::own_part(const Tensor& row) const {
  const int64_t each = count_ / world_->size();
  return row.narrow(0, each * world_->rank(), each);
}

void LayerGroup::point_to(const Tensor& row) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    Tensor& tensor = tensors_[i];
    const int64_t numbers = c10::multiply_integers(shapes_[i]);
    tensor.set_data(row.narrow(0, places_[i], numbers).view(shapes_[i]));
  }
}

void LayerGroup::fetch(const std::string& doing) {
  if (here()) return;
  const at::NoGradGuard no_grad;
  if (source_ == WeightSource::host) {
    whole_ = at::empty({count_}, tensors_.front().options().requires_grad(false));
    copied_ = copy_beside(whole_, on_host_);
  } else {
    whole_ = at::empty({count_}, part_.options());
    coming_ = world_->gather_rows(whole_, part_, doing);
  }
  // What is divided may have been learned before it comes the first time; verify() has looked at
  // it.
  unchecked_ = !trained_ || (!std::exchange(came_, true) && !divided());
}

void LayerGroup::verify(const std::string& doing) const {
  if (source_ != WeightSource::host) require_sum(world_->sum(sum_of_bits(part_), doing));
}

void LayerGroup::wait() {
  coming_.wait();
  if (copied_) std::exchange(copied_, {})();
  if (here() && tensors_.front().storage().data() != whole_.storage().data()) point_to(whole_);
  if (!unchecked_) return;
  unchecked_ = false;
  require_sum(sum_of_bits(whole_));
}

void LayerGroup::require_sum(int64_t sum) const {
  if (sum == sum_) return;
  throw environment_error("the weights of {} arrived changed: their bits add up to another number",
                          what_)
      .with_hint(
          "memory or network of one of the machines changes bits; --resume goes on elsewhere");
}

void LayerGroup::release() {
  if (!here() || !comes_and_goes()) return;
  wait();
  const at::NoGradGuard no_grad;
  if (trained_) part_.copy_(own_part(whole_));
  let_go();
  whole_ = Tensor();
}

// No tensor keeps numbers of the whole row.
void LayerGroup::let_go() {
  if (cut()) {
    std::vector<int64_t> shape = shapes_.front();
    shape[0] /= world_->size();
    tensors_.front().set_data(part_.view(shape));
    return;
  }
  const int64_t each = count_ / world_->size(), begin = each * world_->rank();
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t numbers = c10::multiply_integers(shapes_[i]);
    const int64_t first = places_[i] - begin, last = first + numbers;
    if (divided() && first >= 0 && last <= each) {
      tensors_[i].set_data(part_.narrow(0, first, numbers).view(shapes_[i]));
      continue;
    }
    check(!divided() || last <= 0 || first >= each, "two ranks have a tensor of {}", what_);
    tensors_[i].set_data(hollow(shapes_[i], tensors_[i].options()));
  }
}

void LayerGroup::reduce_gradients(const std::string& doing) {
  const at::NoGradGuard no_grad;
  const int64_t begin = divided() && !cut() ? part_.numel() * world_->rank() : 0;
  Tensor row = at::zeros({divided() ? part_.numel() : count_}, part_.options().dtype(at::kFloat));
  for (size_t i = 0; i < tensors_.size(); ++i) {
    Tensor& gradient = tensors_[i].mutable_grad();
    if (!gradient.defined()) continue;
    row.narrow(0, places_[i] - begin, gradient.numel()).copy_(gradient.reshape({-1}));
    gradient = Tensor();
  }
  const Tensor own = divided() ? row : world_->reduce_rows(row, doing);
  gradient_ = gradient_.defined() ? gradient_.add_(own) : own;
}

void LayerGroup::share(const std::string& doing) {
  if (comes_and_goes() || world_->alone()) return;
  world_->gather_rows(whole_, part_.clone(), doing).wait();
}

}  // namespace alambic
