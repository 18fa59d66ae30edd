#include "alambic/model/deepseek_v4/hyper_connection.h"

#include "alambic/kernels/norm.h"

namespace alambic {

namespace {

at::ScalarType wide(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The map `fn` of all streams of a token together, after a norm without weight.
Tensor raw_weights(const Tensor& streams_NSD, const Tensor& fn, double epsilon) {
  const Tensor flat = streams_NSD.flatten(1).to(wide(streams_NSD));
  const Tensor normed = kernels::rms_norm(flat, at::ones({flat.size(1)}, flat.options()), epsilon);
  return at::linear(normed, fn.to(normed.scalar_type()));
}

Tensor weighted_sum(const Tensor& weight_NS, const Tensor& streams_NSD) {
  return (weight_NS.unsqueeze(-1) * streams_NSD).sum(1).to(streams_NSD.scalar_type());
}

// Rows and columns of a positive matrix are divided by their sums in turn, columns last.
Tensor doubly_stochastic(Tensor matrix_NSS, int64_t iterations, double epsilon) {
  const auto divided = [&](int64_t dim) {
    return matrix_NSS / (matrix_NSS.sum(dim, /*keepdim=*/true) + epsilon);
  };
  matrix_NSS = divided(-2);
  for (int64_t i = 1; i < iterations; ++i) {
    matrix_NSS = divided(-1);
    matrix_NSS = divided(-2);
  }
  return matrix_NSS;
}

void visit_three(const std::string& prefix, const TensorVisitor& visitor, Tensor& fn, Tensor& base,
                 Tensor& scale) {
  visitor(prefix + "_fn", fn);
  visitor(prefix + "_base", base);
  visitor(prefix + "_scale", scale);
}

}  // namespace

HyperConnection::HyperConnection(const HyperShape& shape) : shape(shape) {
  const int64_t S = shape.streams, weights = (2 + S) * S;
  fn = placeholder({weights, S * shape.width});
  base = placeholder({weights});
  scale = placeholder({3});
}

HyperConnection::Reading HyperConnection::read(const Tensor& streams_NSD) const {
  const int64_t S = shape.streams;
  const at::ScalarType type = wide(streams_NSD);
  const std::vector<int64_t> sizes = {S, S, S * S};
  const std::vector<Tensor> raw =
      raw_weights(streams_NSD, fn, shape.norm_epsilon).split_with_sizes(sizes, -1);
  const std::vector<Tensor> added = base.to(type).split_with_sizes(sizes, 0);
  const std::vector<Tensor> times = scale.to(type).unbind();
  const auto weight = [&](size_t i) { return raw[i] * times[i] + added[i]; };
  const Tensor mix_NSS = weight(2).unflatten(-1, {S, S}).softmax(-1) + shape.epsilon;
  return {weighted_sum(weight(0).sigmoid() + shape.epsilon, streams_NSD), 2 * weight(1).sigmoid(),
          doubly_stochastic(mix_NSS, shape.iterations, shape.epsilon)};
}

Tensor HyperConnection::write(const Tensor& streams_NSD, const Reading& reading,
                              const Tensor& y_ND) const {
  const at::ScalarType type = streams_NSD.scalar_type();
  return reading.write_NS.to(type).unsqueeze(-1) * y_ND.unsqueeze(1) +
         at::matmul(reading.mix_NSS.to(type).transpose(-1, -2), streams_NSD);
}

void HyperConnection::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visit_three(prefix, visitor, fn, base, scale);
  // The streams before and after their norm, and four squares an iteration: what is divided, and
  // by.
  visitor.activations([&](double) {
    const int64_t S = shape.streams;
    return 2 * S * shape.width + 4 * shape.iterations * S * S;
  });
}

HyperHead::HyperHead(const HyperShape& shape)
    : shape(shape),
      fn(placeholder({shape.streams, shape.streams * shape.width})),
      base(placeholder({shape.streams})),
      scale(placeholder({1})) {}

Tensor HyperHead::operator()(const Tensor& streams_NSD) const {
  const at::ScalarType type = wide(streams_NSD);
  const Tensor raw_NS = raw_weights(streams_NSD, fn, shape.norm_epsilon);
  const Tensor weight_NS = (raw_NS * scale.to(type) + base.to(type)).sigmoid() + shape.epsilon;
  return weighted_sum(weight_NS, streams_NSD);
}

void HyperHead::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visit_three(prefix, visitor, fn, base, scale);
}

}  // namespace alambic
