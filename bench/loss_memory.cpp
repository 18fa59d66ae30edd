// Peak memory and processor time of the chunked loss against the plain expression over full logits,
// forward and backward, in one run: reverse KL and JSD of 2,048 graded tokens × 50,257 tokens, and
// the shape of the built-in example. Every measurement is a forked child of its own, in turns, so
// that neither side sees the other's memory or cache. Prints ratios; exit 1 if the peak is above
// 1/8.
//
//   OMP_NUM_THREADS=1 build/release/bench/loss_memory [ROUNDS]
//
// Of another tokenizer's teacher, pieces over as many cells as tokens, and over a tenth fewer,
// beside the exact loss:
//   loss_memory pieces [ROUNDS]
//
// One shape alone, as JSON for bench/loss_peers.py; on a device the memory is what its tensors had:
//   loss_memory one GRADED VOCABULARY STUDENT_WIDTH TEACHER_WIDTH BETA [DEVICE float32|bfloat16]
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>
#include <span>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "alambic/objective/divergence.h"
#include "alambic/tensor/device.h"

namespace alambic {
namespace {

struct Shape {
  int64_t graded, vocabulary, student_width, teacher_width;
};

/// Names, since a device that is opened before a fork is of no use behind it.
struct Place {
  std::string device = "cpu";
  at::ScalarType dtype = at::kFloat;
};

struct Inputs {
  Tensor student_MD, student_VD, teacher_MD, teacher_VD;
};

/// Peak above what the inputs occupy, and the best time of some repeats: of all threads, and by the
/// clock.
struct Measurement {
  double megabytes, seconds, wall, loss;
};

Inputs make_inputs(const Shape& shape, const at::TensorOptions& options) {
  at::manual_seed(1);
  const auto random = [&](int64_t rows, int64_t width) {
    return at::randn({rows, width}, options) * std::sqrt(2 / std::sqrt(static_cast<double>(width)));
  };
  return {random(shape.graded, shape.student_width).requires_grad_(),
          random(shape.vocabulary, shape.student_width).requires_grad_(),
          random(shape.graded, shape.teacher_width), random(shape.vocabulary, shape.teacher_width)};
}

Tensor chunked(const Inputs& in, double beta) {
  return divergence_loss(generalized_jsd(beta), in.student_MD, {.weight_VD = in.student_VD},
                         HiddenStates{in.teacher_MD, {.weight_VD = in.teacher_VD}},
                         static_cast<double>(in.student_MD.size(0)))
      .value;
}

// The same rows over cells: every token a span. `shared`: that many of ten tokens lie in the cell
// of another one.
Tensor over_cells(const Inputs& in, double beta, int64_t shared) {
  const int64_t M = in.student_MD.size(0), V = in.student_VD.size(0);
  const Tensor token_V = at::arange(V, at::kLong), token_M = at::arange(M, at::kLong);
  const Tensor alone_V = token_V.remainder(10) >= shared;
  const Tensor cell_V = (alone_V.cumsum(0) - 1).clamp_min(0);
  AlignedStates teacher{.states = {in.teacher_MD, {.weight_VD = in.teacher_VD}}};
  const Tensor none_M = at::zeros({M}, at::kBool);
  teacher.map = {.span_M = token_M,
                 .span_L = token_M,
                 .sequence_K = at::zeros({M}, at::kLong),
                 .end_M = none_M,
                 .end_L = none_M,
                 .token_L = token_M,
                 .cells = std::make_shared<TokenCells>(TokenCells{
                     cell_V, cell_V, cell_V.max().item<int64_t>() + 1, nullptr, nullptr}),
                 .cell_K = cell_V.narrow(0, 0, M)};
  return divergence_loss(generalized_jsd(beta), in.student_MD, {.weight_VD = in.student_VD},
                         teacher, static_cast<double>(M), {}, token_M)
      .value;
}

Tensor pieces(const Inputs& in, double beta) { return over_cells(in, beta, 0); }
Tensor fewer_pieces(const Inputs& in, double beta) { return over_cells(in, beta, 1); }

/// As TRL writes it (generalized_jsd_loss), in libtorch.
Tensor plain(const Inputs& in, double beta) {
  const Tensor log_q = at::log_softmax(at::linear(in.student_MD, in.student_VD), -1);
  const Tensor log_p = at::log_softmax(at::linear(in.teacher_MD, in.teacher_VD), -1);
  const auto kl = [](const Tensor& input, const Tensor& target) {
    return at::kl_div(input, target, at::Reduction::None, true);
  };
  Tensor terms;
  if (beta == 1) {
    terms = kl(log_p, log_q);
  } else {
    const Tensor log_m =
        at::logsumexp(at::stack({log_q + std::log(1 - beta), log_p + std::log(beta)}), 0);
    terms = beta * kl(log_m, log_p) + (1 - beta) * kl(log_m, log_q);
  }
  return terms.sum() / static_cast<double>(in.student_MD.size(0));
}

/// Only the matrix products of the chunked loss: what no fusion can save.
Tensor products(const Inputs& in, double) {
  const at::NoGradGuard no_gradient;
  const Tensor logits = kernels::product(in.student_MD, in.student_VD.t());
  kernels::write_product(logits, in.teacher_MD, in.teacher_VD.t());
  kernels::product(logits, in.student_VD);
  return kernels::product(logits.t(), in.student_MD).sum();
}

double resident_peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    double kilobytes = 0;
    status >> kilobytes;
    return kilobytes / 1024;
  }
  throw environment_error("no VmHWM in /proc/self/status");
}

double peak_megabytes(at::Device device) {
  return device.is_cpu() ? resident_peak_megabytes() : peak_memory(device) / (1 << 20);
}

/// From here on.
void reset_peak(at::Device device) {
  std::ofstream("/proc/self/clear_refs") << 5;
  reset_peak_memory(device);
}

/// Of all threads: what a shared machine does not disturb.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

using Expression = Tensor (*)(const Inputs&, double beta);

Measurement measure_here(Expression expression, const Shape& shape, double beta,
                         const Place& place) {
  const at::Device device = choose_device(place.device);
  const auto options = at::TensorOptions().device(device).dtype(place.dtype);
  const int repeats = device.is_cpu() && shape.vocabulary > 10000 ? 1 : 10;
  Measurement result{0, 1e30, 1e30, 0};
  const Inputs in = make_inputs(shape, options);
  // Threads and libraries come up with a small problem first.
  expression(make_inputs({16, 64, shape.student_width, shape.teacher_width}, options), beta);
  synchronize(device);
  reset_peak(device);
  const double before = peak_megabytes(device);
  for (int i = 0; i < repeats; ++i) {
    in.student_MD.mutable_grad() = Tensor();
    in.student_VD.mutable_grad() = Tensor();
    const double start = processor_seconds();
    const auto clock = std::chrono::steady_clock::now();
    const Tensor loss = expression(in, beta);
    if (loss.requires_grad()) loss.backward();
    synchronize(device);
    result.seconds = std::min(result.seconds, processor_seconds() - start);
    result.wall =
        std::min(result.wall,
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - clock).count());
    result.loss = loss.item<double>();
    if (i == 0) result.megabytes = peak_megabytes(device) - before;
  }
  return result;
}

Measurement measure(Expression expression, const Shape& shape, double beta,
                    const Place& place = {}) {
  int ends[2];
  if (pipe(ends) != 0) throw environment_error("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    const Measurement result = measure_here(expression, shape, beta, place);
    const bool written = write(ends[1], &result, sizeof result) == sizeof result;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  Measurement result{};
  const bool complete = read(ends[0], &result, sizeof result) == sizeof result;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!complete || status != 0) throw environment_error("a measurement died (memory?)");
  return result;
}

/// The best of the rounds, taken in turns.
bool compare(const char* name, const Shape& shape, double beta, int rounds, double limit) {
  constexpr Expression expressions[] = {chunked, plain, products};
  Measurement best[3];
  std::fill_n(best, 3, Measurement{1e30, 1e30, 1e30, 0});
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 3; ++i) {
      const Measurement m = measure(expressions[i], shape, beta);
      best[i].megabytes = std::min(best[i].megabytes, m.megabytes);
      best[i].seconds = std::min(best[i].seconds, m.seconds);
      best[i].loss = m.loss;
    }
  }
  const double memory = best[0].megabytes / best[1].megabytes;
  const double logits = 2.0 * 4 * static_cast<double>(shape.graded * shape.vocabulary) / (1 << 20);
  fmt::print(
      "{:<24} {:>6.0f} MB of {:>6.0f} MB: 1/{:<5.1f} (1/{:.1f} of two full logits) "
      "{:>8.1f} ms of {:>8.1f} ms: {:.2f}x   products alone {:>7.1f} ms: {:.2f}x   loss {:.6f} "
      "{:.6f}\n",
      name, best[0].megabytes, best[1].megabytes, 1 / memory, logits / best[0].megabytes,
      best[0].seconds * 1e3, best[1].seconds * 1e3, best[1].seconds / best[0].seconds,
      best[2].seconds * 1e3, best[0].seconds / best[2].seconds, best[0].loss, best[1].loss);
  std::fflush(stdout);
  const bool same = std::abs(best[0].loss - best[1].loss) < 1e-4 * std::abs(best[1].loss);
  if (!same) fmt::print("the losses differ: these numbers mean nothing\n");
  return same && memory <= limit;
}

int run(int rounds) {
  fmt::print("chunked loss and gradient, of the plain expression in libtorch\n");
  const Shape large{2048, 50257, 256, 768};
  const Shape demo{3000, 600, 64, 128};
  bool good = compare("reverse KL, 2048 x 50257", large, 1, rounds, 1.0 / 8);
  good &= compare("JSD(0.5),   2048 x 50257", large, 0.5, rounds, 1.0 / 8);
  good &= compare("reverse KL, 3000 x 600", demo, 1, 3 * rounds, 1);
  good &= compare("JSD(0.5),   3000 x 600", demo, 0.5, 3 * rounds, 1);
  return good ? 0 : 1;
}

int run_pieces(int rounds) {
  const Shape large{2048, 50257, 256, 768};
  constexpr Expression expressions[] = {chunked, pieces, fewer_pieces};
  Measurement best[3];
  std::fill_n(best, 3, Measurement{1e30, 1e30, 1e30, 0});
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 3; ++i) {
      const Measurement m = measure(expressions[i], large, 1);
      best[i].megabytes = std::min(best[i].megabytes, m.megabytes);
      best[i].seconds = std::min(best[i].seconds, m.seconds);
      best[i].loss = m.loss;
    }
  }
  const char* names[] = {"exact", "pieces, equal vocabularies", "pieces, a tenth shares cells"};
  for (int i = 0; i < 3; ++i) {
    fmt::print("{:<30} {:>8.1f} ms {:>6.0f} MB: {:.2f} times the exact loss   loss {:.6f}\n",
               names[i], best[i].seconds * 1e3, best[i].megabytes,
               best[i].seconds / best[0].seconds, best[i].loss);
  }
  return 0;
}

int run_one(std::span<char*> words) {
  const Shape shape{std::atoll(words[0]), std::atoll(words[1]), std::atoll(words[2]),
                    std::atoll(words[3])};
  Place place;
  if (words.size() > 5) {
    const bool narrow = std::string_view(words[6]) == "bfloat16";
    place = {words[5], narrow ? at::kBFloat16 : at::kFloat};
  }
  const Measurement m = measure(chunked, shape, std::atof(words[4]), place);
  fmt::print(R"({{"megabytes": {}, "processor_seconds": {}, "seconds": {}, "loss": {}}})"
             "\n",
             m.megabytes, m.seconds, m.wall, m.loss);
  return 0;
}

}  // namespace
}  // namespace alambic

int main(int argc, char** argv) {
  if ((argc == 7 || argc == 9) && std::string_view(argv[1]) == "one") {
    return alambic::run_one(std::span(argv, static_cast<size_t>(argc)).subspan(2));
  }
  if (argc > 1 && std::string_view(argv[1]) == "pieces") {
    return alambic::run_pieces(argc > 2 ? std::atoi(argv[2]) : 2);
  }
  return alambic::run(argc > 1 ? std::atoi(argv[1]) : 2);
}
