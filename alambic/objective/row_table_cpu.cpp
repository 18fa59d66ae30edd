#include "alambic/objective/row_kernels.h"

namespace alambic::ALAMBIC_ISA {

extern const RowKernels row_table;
const RowKernels row_table = {.divergence = divergence_row, .cross_entropy = cross_entropy_row};

}  // namespace alambic::ALAMBIC_ISA
