// What teachers with other tokenizers say of the drawn tokens.
#pragma once

#include <vector>

#include "alambic/flow/head.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/objective/policy.h"

namespace alambic {

/// A teacher's log-probabilities of a micro-batch's spans, kept for all steps on the same
/// completions.
struct SpanGrades {
  SpanMap map;
  Tensor logp_K;      ///< float64
  double weight = 1;  ///< the teacher's share of the loss
  double share = 1;   ///< the same for a sum that is divided by tokens instead of spans
  int64_t lookahead = 0;

  static SpanGrades of(const AlignedStates& teacher, double temperature);
};

/// Adds the spans' advantages to what is known of the drawn tokens: teacher_logp_M and
/// teacher_share_M. The student's hidden states are read where several tokens end a completion.
void add_spans(const SpanGrades& grades, const Tensor& student_MD, const Head& student,
               double temperature, DrawnTokens& drawn);

/// MiniLLM's returns (objective/returns.h) of the student's tokens, of spans in place of tokens:
/// the mean of log p − log q over the completion's spans after the token's own, times the teacher's
/// share; 0 in no span.
Tensor span_returns_M(const SpanGrades& grades, const Tensor& student_MD, const Head& student,
                      double temperature, const DrawnTokens& drawn);

/// Sums for reports, to be divided by tokens: "span_reverse_kl" (log q − log p of the spans, a mean
/// over them) and with `masked` "masked_share" (tokens in none), both times the teacher's weight.
std::map<std::string, double> span_figures(const SpanGrades& grades, const DrawnTokens& drawn,
                                           bool masked);

}  // namespace alambic
