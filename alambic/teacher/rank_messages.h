// What the ranks of learners and teachers tell each other, as safetensors files like those of
// `alambic serve`'s /v1/grade (docs/serve.md).
#pragma once

#include <string>

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Sequences that a learner's rank wants graded by one of the teachers'. Requests come in rounds.
struct RankRequest {
  enum class Kind {
    step,   ///< all learners ask for what a step learns from
    alone,  ///< only the first learner asks
    end     ///< there is nothing more to grade
  };
  Kind kind = Kind::step;
  int64_t step = 0;    ///< from 0
  int64_t member = 0;  ///< which teacher, in the order of --teacher
  int64_t number = 0;  ///< of this learner's requests: the tag of its answer
  int64_t left = 0;    ///< requests of the round that this learner sends after it
  int64_t ending = 0;  ///< of Kind::end: the run's RunEnding
  /// Tokens, completion mask and policy_step; no sequences: nothing is to be graded.
  Rollouts rollouts;
};

std::string to_bytes(const RankRequest& request);
/// `bytes`: uint8. An internal error for what to_bytes does not write.
RankRequest request_of_bytes(const Tensor& bytes, at::Device device);

/// Grades of a request: the teacher's final hidden states of its graded positions.
struct RankReply {
  int64_t step = 0, policy_step = 0;  ///< the request's
  double seconds = 0;                 ///< that the teacher's pass took
  HiddenStates states;                ///< without the head
};

std::string to_bytes(const RankReply& reply);
RankReply reply_of_bytes(const Tensor& bytes, at::Device device);

}  // namespace alambic
