#include "alambic/kernels/cpu.h"

#include <string_view>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"

namespace alambic::kernels {

namespace baseline {
extern const CpuTable table;
}

#if defined(__x86_64__)
namespace avx2 {
extern const CpuTable table;
}
namespace avx512 {
extern const CpuTable table;
}

std::vector<const CpuTable*> cpu_tables() {
  std::vector<const CpuTable*> tables = {&baseline::table};
  if (__builtin_cpu_supports("x86-64-v3")) tables.push_back(&avx2::table);
  if (__builtin_cpu_supports("x86-64-v4")) tables.push_back(&avx512::table);
  return tables;
}
#else
std::vector<const CpuTable*> cpu_tables() { return {&baseline::table}; }
#endif

const CpuTable& cpu() {
  static const CpuTable& chosen = []() -> const CpuTable& {
    const std::vector<const CpuTable*> tables = cpu_tables();
    const std::optional<std::string> wanted = environment_variable("ALAMBIC_ISA");
    if (!wanted) return *tables.back();
    for (const CpuTable* table : tables) {
      if (table->name == *wanted) return *table;
    }
    throw environment_error("ALAMBIC_ISA: this machine or build has no '{}' kernels", *wanted)
        .with_hint("unset it, or use baseline");
  }();
  return chosen;
}

}  // namespace alambic::kernels
