// Our side of bench/load_speed.py: FOLDER frozen|trained, in float32. Loads a model and reads every
// number once, then prints the seconds of both together, and by how many bytes the process's peak
// memory grew.
#include <cstdio>
#include <cstring>
#include <fstream>

#include "alambic/base/stopwatch.h"
#include "alambic/model/load.h"
#include "alambic/tensor/device.h"

namespace {

// Not getrusage's: that begins with the peak of the process that started this one.
int64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const bool frozen = std::strcmp(argv[2], "frozen") == 0;
  alambic::set_threads(1);
  double sum = at::ones({1024}).sum().item<double>();  // libtorch has started
  const int64_t before = peak_bytes();
  const alambic::Stopwatch watch;
  const auto model = alambic::load_model(argv[1], {.trainable = !frozen, .frozen = frozen});
  model->visit([&](const std::string&, const alambic::Weight& weight) {
    sum += weight.decoded().detach().sum().item<double>();
  });
  const double seconds = watch.seconds();
  const int64_t grew = peak_bytes() - before;
  std::puts(
      alambic::Json{{"seconds", seconds}, {"grew", grew}, {"sum", sum - 1024}}.dump().c_str());
  return 0;
}
