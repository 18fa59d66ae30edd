// Products with packed weights beside float32 ones of the same shape, interleaved in one run,
// fastest of each; the weights are so many that none stays in the caches. "ratio" is how much
// faster the packed product is; docs/LOG.md has dated results.
//   OMP_NUM_THREADS=1 taskset -c 1 build/release/bench/packed_bench [--benchmark_filter=…]
#include <memory>
#include <vector>

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/packed_linear.h"
#include "bench/compare.h"
#include "tests/random_packed.h"

namespace {

using namespace alambic;

constexpr int64_t D = 768, E = 2048;

/// So many weights that the first has left the caches when its turn comes again; made when the
/// first is asked for.
template <class Made>
class InTurn {
 public:
  InTurn(int64_t bytes, std::function<Made()> make) : count_(64'000'000 / bytes + 1), make_(make) {}

  const Made& next() {
    while (std::ssize(all_) < count_) all_.push_back(make_());
    return all_[++turn_ % all_.size()];
  }

 private:
  int64_t count_;
  std::function<Made()> make_;
  std::vector<Made> all_;
  size_t turn_ = 0;
};

using Tensors = std::shared_ptr<InTurn<Tensor>>;

const std::vector<int64_t> rows = {1, 2, 4, 8, 16, 64, 512};

void packed(Dtype dtype, const Tensors& plain) {
  const auto bytes = static_cast<int64_t>(*byte_size(dtype, {E, D}));
  const auto weights =
      std::make_shared<InTurn<PackedMatrix>>(bytes, [dtype] { return random_packed(dtype, E, D); });
  for (const int64_t M : rows) {
    const Tensor x = at::randn({M, D});
    bench::compare(
        name_of(dtype) + " M=" + std::to_string(M), 2.0 * M * D * E, static_cast<double>(bytes),
        [=] { kernels::packed_linear(x, weights->next(), Tensor()); },
        [=] { kernels::linear(x, plain->next(), Tensor()); }, "float32_us");
  }
}

/// Tensors of bfloat16, which are trained too.
void bfloat(const Tensors& plain) {
  const auto weights = std::make_shared<InTurn<Tensor>>(2 * D * E, [] {
    return at::randn({E, D}).to(at::kBFloat16);
  });
  for (const int64_t M : rows) {
    const Tensor x = at::randn({M, D}), narrow = x.to(at::kBFloat16);
    bench::compare(
        "bfloat16 tensors M=" + std::to_string(M), 2.0 * M * D * E, 2.0 * D * E,
        [=] { kernels::linear(narrow, weights->next(), Tensor()); },
        [=] { kernels::linear(x, plain->next(), Tensor()); }, "float32_us");
    bench::compare(
        "bfloat16 tensors by libtorch M=" + std::to_string(M), 2.0 * M * D * E, 2.0 * D * E,
        [=] { at::linear(narrow, weights->next()); },
        [=] { kernels::linear(x, plain->next(), Tensor()); }, "float32_us");
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("kernels", kernels::cpu().name);
  const auto plain = std::make_shared<InTurn<Tensor>>(4 * D * E, [] { return at::randn({E, D}); });
  for (const Dtype dtype : packed_dtypes) packed(dtype, plain);
  bfloat(plain);
  benchmark::RunSpecifiedBenchmarks();
}
