#include "alambic/objective/row_kernels.h"

#include <string_view>

#include "alambic/base/error.h"
#include "alambic/kernels/cpu.h"

namespace alambic {

namespace baseline {
extern const RowKernels row_table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const RowKernels row_table;
}
namespace avx512 {
extern const RowKernels row_table;
}
#endif

namespace {

// Kernels of the instruction set with this name in CpuTable.
const RowKernels& row_kernels(const char* isa) {
  const std::string_view name = isa;
  if (name == "baseline") return baseline::row_table;
#if defined(__x86_64__)
  if (name == "avx2") return avx2::row_table;
  if (name == "avx512") return avx512::row_table;
#endif
  throw bug("no row kernels for {}", isa);
}

const RowKernels& row_kernels() {
  static const RowKernels& chosen = row_kernels(kernels::cpu().name);
  return chosen;
}

}  // namespace

std::vector<DivergenceKernel> divergence_kernels() {
  std::vector<DivergenceKernel> all;
  for (const kernels::CpuTable* table : kernels::cpu_tables()) {
    all.push_back(row_kernels(table->name).divergence);
  }
  return all;
}

DivergenceSums divergence_row(const DivergenceRow& row, float* student, float* teacher) {
  return row_kernels().divergence(row, student, teacher);
}

CrossEntropySums cross_entropy_row(const CrossEntropyRow& row, int64_t target, float* logits) {
  return row_kernels().cross_entropy(row, target, logits);
}

}  // namespace alambic
