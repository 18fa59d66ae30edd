// Operators of the simulated device: those on shapes and copies one by one, every other by the
// CPU's kernel on views of the same memory.
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/stack.h>
#include <ATen/ops/_local_scalar_dense_native.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include <mutex>
#include <set>

#include "tests/device/simulated_device.h"
#include "tests/device/simulated_graphs.h"
#include "tests/device/simulated_memory.h"
#include "tests/device/simulated_streams.h"

namespace alambic::simulated {

namespace {

using at::Tensor;
using c10::IValue;

std::mutex counts_mutex;
Counts counts;
std::map<std::string, int64_t> by_name;

// What a GPU's host waits for, since the result's size is a number on the device.
const std::set<std::string> kWaits = {"aten::nonzero",       "aten::bincount",
                                      "aten::masked_select", "aten::_unique2",
                                      "aten::equal",         "aten::repeat_interleave.Tensor"};

// ---- shapes ----

Tensor empty(c10::IntArrayRef size, std::optional<c10::ScalarType> dtype,
             std::optional<c10::Layout> /*layout*/, std::optional<c10::Device> /*device*/,
             std::optional<bool> /*pinned*/, std::optional<c10::MemoryFormat> format) {
  return at::detail::empty_generic(size, &Memory::of_device(),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(dtype), format);
}

Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride,
                     std::optional<c10::ScalarType> dtype, std::optional<c10::Layout> /*layout*/,
                     std::optional<c10::Device> /*device*/, std::optional<bool> /*pinned*/) {
  return at::detail::empty_strided_generic(size, stride, &Memory::of_device(),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(dtype));
}

// Runs it, and keeps it where this thread records.
template <class Step>
void run_step(const Step& step) {
  step();
  record_step(step);
}

// ---- copies ----

bool on_device(const Tensor& t) { return t.defined() && t.device().type() == kType; }

Tensor kernels_view(const Tensor& t) { return on_device(t) ? host_view(t) : t; }

void count_copy(const Tensor& from, const Tensor& to) {
  if (on_device(from) && on_device(to)) return count_operator("aten::copy_");
  const std::scoped_lock lock(counts_mutex);
  ++(on_device(to) ? counts.uploads : counts.reads);
  counts.bytes += static_cast<int64_t>(from.nbytes());
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool non_blocking) {
  if (on_device(from) != on_device(to)) {
    refuse_while_recording(on_device(to) ? "an upload" : "a read");
  }
  count_copy(from, to);
  if (non_blocking && on_device(from) != on_device(to)) {
    enqueue(current_stream(), [from, to] {
      const at::NoGradGuard no_gradient;
      kernels_view(to).copy_(kernels_view(from));
    });
    return to;
  }
  wait_for(current_stream());
  run_step([from = kernels_view(from), to = kernels_view(to)] { to.copy_(from); });
  return to;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  at::native::resize_(to, from.sizes());
  return copy_from(from, to, false);
}

at::Scalar local_scalar(const Tensor& self) {
  refuse_while_recording("a read");
  {
    const std::scoped_lock lock(counts_mutex);
    ++counts.reads;
  }
  wait_for(current_stream());
  return at::native::_local_scalar_dense_cpu(host_view(self));
}

// ---- every other operator ----

IValue viewed(const IValue& value) {
  if (value.isTensor()) return kernels_view(value.toTensor());
  if (value.isTensorList()) {
    c10::List<Tensor> list;
    for (const Tensor& t : value.toTensorVector()) list.push_back(kernels_view(t));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<Tensor>> list;
    for (const std::optional<Tensor>& t : value.toOptionalTensorVector()) {
      list.push_back(t ? std::optional(kernels_view(*t)) : t);
    }
    return list;
  }
  if (value.isDevice() && value.toDevice().type() == kType) return c10::Device(c10::kCPU);
  return value;
}

IValue moved(const IValue& result) {
  if (result.isTensor()) return result_of(result.toTensor());
  if (!result.isTensorList()) return result;
  c10::List<Tensor> list;
  for (const Tensor& t : result.toTensorVector()) list.push_back(result_of(t));
  return list;
}

// An out tensor that the kernel made larger lies in memory of its own by now.
void bring_back(const Tensor& original, const Tensor& view) {
  if (view.sizes() == original.sizes() && view.strides() == original.strides()) return;
  at::native::resize_(original, view.sizes());
  original.unsafeGetTensorImpl()->set_sizes_and_strides(view.sizes(), view.strides());
  host_view(original).copy_(view);
}

struct Call {
  const c10::FunctionSchema& schema;
  std::vector<IValue> originals, views;

  // The argument that the operator wrote to and returns as this result.
  IValue written(const c10::AliasInfo& alias) const {
    for (size_t a = 0; a < originals.size(); ++a) {
      const c10::AliasInfo* of = schema.arguments()[a].alias_info();
      if (of == nullptr || !(*of == alias)) continue;
      if (originals[a].isTensor() && on_device(originals[a].toTensor())) {
        bring_back(originals[a].toTensor(), views[a].toTensor());
      }
      return originals[a];
    }
    return {};
  }
};

void add_views(const IValue& result, std::vector<Tensor>& views) {
  if (result.isTensor()) views.push_back(kernels_view(result.toTensor()));
  if (!result.isTensorList()) return;
  for (const Tensor& t : result.toTensorVector()) views.push_back(kernels_view(t));
}

// The operator on the same numbers; results that are no arguments go where the first ones are.
void run_again(const c10::OperatorHandle& op, const std::vector<IValue>& views,
               const std::vector<Tensor>& made) {
  torch::jit::Stack stack(views.begin(), views.end());
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &stack);
  std::vector<Tensor> again;
  for (size_t i = 0; i < stack.size(); ++i) {
    if (op.schema().returns()[i].alias_info() == nullptr) add_views(stack[i], again);
  }
  for (size_t i = 0; i < made.size(); ++i) {
    if (made[i].defined()) made[i].copy_(again[i]);
  }
}

void run_on_views(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  count_operator(toString(op.operator_name()));
  wait_for(current_stream());
  const size_t inputs = op.schema().arguments().size(), begin = stack->size() - inputs;
  Call call{.schema = op.schema(),
            .originals = {stack->begin() + static_cast<ptrdiff_t>(begin), stack->end()},
            .views = {}};
  for (size_t i = 0; i < inputs; ++i) {
    (*stack)[begin + i] = viewed(call.originals[i]);
    call.views.push_back((*stack)[begin + i]);
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  std::vector<Tensor> made;  // where a recording puts the results that are no arguments
  const size_t outputs = op.schema().returns().size(), first = stack->size() - outputs;
  for (size_t i = 0; i < outputs; ++i) {
    IValue& result = (*stack)[first + i];
    const c10::AliasInfo* alias = op.schema().returns()[i].alias_info();
    TORCH_CHECK(alias == nullptr || alias->isWrite(), op.operator_name(),
                " is a view: it needs an operator of its own");
    result = alias == nullptr ? moved(result) : call.written(*alias);
    if (alias == nullptr && is_recording()) add_views(result, made);
  }
  record_step([op, views = call.views, made] { run_again(op, views, made); });
}

// Products of narrow numbers with wide results, which no CPU has.
void wide_product_to(const Tensor& out, const Tensor& a, const Tensor& b, c10::ScalarType type) {
  wait_for(current_stream());
  run_step([a = host_view(a), b = host_view(b), out = host_view(out), type] {
    out.copy_(at::mm(a.to(type), b.to(type)));
  });
}

Tensor wide_product(const Tensor& a, const Tensor& b, c10::ScalarType type) {
  count_operator("aten::mm.dtype");
  const Tensor out = at::empty({a.size(0), b.size(1)}, a.options().dtype(type));
  wide_product_to(out, a, b, type);
  return out;
}

Tensor& write_wide_product(const Tensor& a, const Tensor& b, c10::ScalarType type, Tensor& out) {
  count_operator("aten::mm.dtype_out");
  wide_product_to(out, a, b, type);
  return out;
}

Tensor& add_wide_product(const Tensor& self, const Tensor& a, const Tensor& b, c10::ScalarType type,
                         const at::Scalar& beta, const at::Scalar& alpha, Tensor& out) {
  count_operator("aten::addmm.dtype_out");
  wait_for(current_stream());
  run_step([self = host_view(self), a = host_view(a), b = host_view(b), out = host_view(out), type,
            beta, alpha] { out.copy_(at::addmm(self, a.to(type), b.to(type), beta, alpha)); });
  return out;
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  // One launch on a GPU, composed of many where a backend has none.
  for (const char* name :
       {"_foreach_norm.Scalar", "_foreach_mul_.Scalar", "_foreach_copy_", "_grouped_mm"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&run_on_views>());
  }
  m.impl("mm.dtype", wide_product);
  m.impl("mm.dtype_out", write_wide_product);
  m.impl("addmm.dtype_out", add_wide_product);
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("_local_scalar_dense", local_scalar);
  m.impl("as_strided", [](const Tensor& self, c10::IntArrayRef size, c10::IntArrayRef stride,
                          std::optional<int64_t> offset) {
    return at::native::as_strided_tensorimpl(self, size, stride, offset);
  });
  m.impl("view",
         [](const Tensor& self, c10::IntArrayRef size) { return at::native::view(self, size); });
  m.impl("_reshape_alias", [](const Tensor& self, c10::IntArrayRef size, c10::IntArrayRef stride) {
    return at::native::_reshape_alias(self, size, stride);
  });
  m.impl("resize_",
         [](const Tensor& self, c10::IntArrayRef size, std::optional<at::MemoryFormat> format)
             -> const Tensor& { return at::native::resize_(self, size, format); });
  m.impl("set_.source_Storage_storage_offset",
         [](Tensor& self, c10::Storage source, int64_t offset, c10::IntArrayRef size,
            c10::IntArrayRef stride) -> Tensor& {
           return at::native::set_storage_cpu_(self, std::move(source), offset, size, stride);
         });
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_views>());
}

}  // namespace

Counts take_counts() {
  const std::scoped_lock lock(counts_mutex);
  return std::exchange(counts, {});
}

void count_operator(const std::string& name) {
  if (kWaits.contains(name)) refuse_while_recording("to wait for a size");
  const std::scoped_lock lock(counts_mutex);
  ++by_name[name];
  if (is_recording()) return;
  ++counts.operators;
  if (kWaits.contains(name)) ++counts.reads;
}

void count_kernels(int64_t launches) {
  if (is_recording()) return;
  const std::scoped_lock lock(counts_mutex);
  counts.operators += launches;
}

std::map<std::string, int64_t> operators_run() {
  const std::scoped_lock lock(counts_mutex);
  return by_name;
}

}  // namespace alambic::simulated
