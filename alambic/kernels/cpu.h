#pragma once

#include <vector>

#include "alambic/kernels/cpu_table.h"

namespace alambic::kernels {

/// The kernels of every instruction set that this build has and this machine can run, best last.
std::vector<const CpuTable*> cpu_tables();

/// The best of them, or the one named by the environment variable ALAMBIC_ISA (baseline, avx2,
/// avx512), which is there to test a machine's weaker cousins on it.
const CpuTable& cpu();

}  // namespace alambic::kernels
