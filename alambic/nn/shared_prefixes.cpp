#include "alambic/nn/shared_prefixes.h"

#include <algorithm>

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kLeastShare = 16;  // one of so many positions must be saved

thread_local bool shares = true;

// Positions at the beginning of sequence s that are those of the one before.
int64_t repeated(const int64_t* tokens, const Packed& input, int64_t s) {
  const int64_t *before = tokens + input.offsets[s - 1], *own = tokens + input.offsets[s];
  const int64_t most = std::min(input.length(s - 1), input.length(s));
  const int64_t count = std::mismatch(own, own + most, before).first - own;
  return count < shortest_shared_prefix ? 0 : count;
}

// Positions [position, position + shared) get the rows of the sequence whose spans begin at `from`.
void add_shared(std::vector<SharedPrefixes::Span>& spans, size_t from, int64_t position,
                int64_t shared) {
  const int64_t end = position + shared;
  for (size_t i = from; position < end; ++i) {
    const int64_t count = std::min(spans[i].count, end - position);
    spans.push_back({position, spans[i].row, count, false});
    position += count;
  }
}

void add_tensors(SharedPrefixes& shared, at::Device device) {
  std::vector<int64_t> row, first, copies(shared.rows(), 0);
  for (const auto& span : shared.spans) {
    for (int64_t i = 0; i < span.count; ++i) {
      row.push_back(span.row + i);
      if (span.first) first.push_back(span.position + i);
      ++copies[span.row + i];
    }
  }
  const auto upload = [&](const std::vector<int64_t>& numbers) {
    return at::tensor(numbers, at::kLong).to(device);
  };
  shared.row_N = upload(row);
  shared.first_R = upload(first);
  shared.copies_R = upload(copies);
}

struct Holder : torch::CustomClassHolder {
  SharedPrefixesPtr shared;
  explicit Holder(SharedPrefixesPtr shared) : shared(std::move(shared)) {}
};

void keep(AutogradContext* context, const SharedPrefixesPtr& shared) {
  context->saved_data["shared"] = c10::IValue::make_capsule(c10::make_intrusive<Holder>(shared));
}

SharedPrefixesPtr kept(AutogradContext* context) {
  const auto holder = context->saved_data["shared"].toCapsule();
  return static_cast<const Holder&>(*holder).shared;
}

Tensor with_length(const Tensor& like, int64_t length) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes[0] = length;
  return at::zeros(sizes, like.options());
}

struct ToPositions : torch::autograd::Function<ToPositions> {
  static Tensor forward(AutogradContext* context, const Tensor& x_RD,
                        const SharedPrefixesPtr& shared) {
    keep(context, shared);
    return x_RD.index_select(0, shared->row_N);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    kernels::refuse_second_derivative("a shared prefix");
    const SharedPrefixesPtr shared = kept(context);
    const Tensor sum_RD = with_length(gradients[0], shared->rows());
    for (const auto& span : shared->spans) {
      sum_RD.narrow(0, span.row, span.count)
          .add_(gradients[0].narrow(0, span.position, span.count));
    }
    return {sum_RD, Tensor()};
  }
};

struct ToRows : torch::autograd::Function<ToRows> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND,
                        const SharedPrefixesPtr& shared) {
    keep(context, shared);
    return x_ND.index_select(0, shared->first_R);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    kernels::refuse_second_derivative("a shared prefix");
    const SharedPrefixesPtr shared = kept(context);
    const Tensor dx_ND = with_length(gradients[0], shared->positions());
    for (const auto& span : shared->spans) {
      if (!span.first) continue;
      dx_ND.narrow(0, span.position, span.count)
          .copy_(gradients[0].narrow(0, span.row, span.count));
    }
    return {dx_ND, Tensor()};
  }
};

}  // namespace

SharedPrefixesPtr shared_prefixes(const Packed& input) {
  if (!shares || input.sequences() < 2) return nullptr;
  const Tensor tokens_N = input.tokens_N.to(at::kCPU, at::kLong).contiguous();
  const auto* tokens = tokens_N.const_data_ptr<int64_t>();
  const auto shared = std::make_shared<SharedPrefixes>();
  size_t before = 0;  // the first span of the sequence before
  for (int64_t s = 0; s < input.sequences(); ++s) {
    const size_t mine = shared->spans.size();
    const int64_t same = s == 0 ? 0 : repeated(tokens, input, s), own = input.length(s) - same;
    add_shared(shared->spans, before, input.offsets[s], same);
    if (own > 0) shared->spans.push_back({input.offsets[s] + same, shared->rows(), own, true});
    shared->row_offsets.push_back(shared->rows() + own);
    before = mine;
  }
  if ((input.positions() - shared->rows()) * kLeastShare < input.positions()) return nullptr;
  add_tensors(*shared, input.tokens_N.device());
  return shared;
}

Tensor to_positions(const Tensor& x_RD, const SharedPrefixesPtr& shared) {
  if (!kernels::wants_gradient(x_RD)) return x_RD.index_select(0, shared->row_N);
  return ToPositions::apply(x_RD, shared);
}

Tensor to_rows(const Tensor& x_ND, const SharedPrefixesPtr& shared) {
  if (!kernels::wants_gradient(x_ND)) return x_ND.index_select(0, shared->first_R);
  return ToRows::apply(x_ND, shared);
}

SharePrefixes::SharePrefixes(bool on) : before_(shares) { shares = on; }
SharePrefixes::~SharePrefixes() { shares = before_; }

}  // namespace alambic
