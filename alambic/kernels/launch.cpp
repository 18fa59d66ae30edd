#include "alambic/kernels/launch.h"

#include <ATen/Parallel.h>

#include "alambic/kernels/cpu.h"

namespace alambic::kernels {

int64_t many_rows() { return cpu().lanes >= 16 ? 48 : 32; }

int64_t thread_count() { return at::get_num_threads(); }

void split(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
  at::parallel_for(0, count, grain, f);
}

}  // namespace alambic::kernels
