#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

/// divergence_loss over the cells of the teacher's map at the beginning of every span, and at each
/// cell inside of it (InnerCell), where one model is in the middle of a token (inside_tokens.h);
/// where that is the student, by the teacher's probability of the token's cells before. In a span
/// without such, on both sides the mass of what was written is taken out of the cell of its first
/// token and put into the cell of its bytes, or into a bucket of its own. What a longer token would
/// have written by then has its part (open_tokens.h). So both sum to 1, no bucket is empty on one
/// side alone, models that write the same texts have no loss and no gradient, and with equal
/// vocabularies nothing moves. Chunked as divergence_loss; row.weight is 1 / normalizer,
/// row.gradient is not read. Sums over places: "piece_reverse_kl", "piece_forward_kl", "agreement"
/// (the same most likely bucket).
///
/// Of a teacher with topk in place of states it is the least divergence from any teacher that has
/// said the same (piece_bounds.h): a lower bound of the whole one, 0 with its gradient where the
/// models agree, and the whole one where all tokens are said. Sums then: "topk_piece_reverse_kl",
/// "topk_piece_forward_kl", "teacher_known_mass" (what is known to be in some bucket).
Loss piece_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
               const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk);

}  // namespace alambic
