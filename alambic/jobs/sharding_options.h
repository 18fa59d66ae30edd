// Options of how a run's models lie on its ranks.
#pragma once

#include "alambic/options/options.h"

namespace alambic {

/// Stage of ZeRO (Rajbhandari et al., arXiv 1910.02054).
enum class ZeroStage { automatic, optimizer, gradients, weights };

struct ShardingOptions {
  ZeroStage stage = ZeroStage::automatic;
  int64_t shard_size = 0;
  int64_t tensor_parallel_size = 1;
  int64_t expert_parallel_size = 1;
  double rank_timeout = 1800;
  bool profile = false;

  bool shards_layers() const {
    return stage == ZeroStage::gradients || stage == ZeroStage::weights;
  }

  /// Ranks that share one copy of what is divided; 0: those of one machine.
  int64_t ranks_of_copy() const {
    return shard_size == 0 && expert_parallel_size > 1 ? expert_parallel_size : shard_size;
  }

  void visit(OptionVisitor& v) {
    v.group("Several processes");
    v.choice("zero-stage", stage,
             {{"auto", ZeroStage::automatic},
              {"1", ZeroStage::optimizer},
              {"2", ZeroStage::gradients},
              {"3", ZeroStage::weights}},
             "what each rank has a part of: 1 the optimizer's state; 2 also the gradients, 3 also "
             "the student's weights, layer by layer, which then run again in the backward pass; "
             "auto: 1");
    v.integer("shard-size", shard_size,
              "ranks that share one copy of what --zero-stage 2 or 3 and --teacher-weights sharded "
              "divide; the copies' gradients are added up; 0: the ranks of one machine, or "
              "--expert-parallel-size",
              {.min = 0});
    v.integer(
        "tensor-parallel-size", tensor_parallel_size,
        "ranks that write completions together: each has its part of the heads and columns of "
        "the student's layers, for a student that a device cannot sample from, and for fewer "
        "seconds a token; 1: each rank writes its own",
        {.min = 1});
    v.integer(
        "expert-parallel-size", expert_parallel_size,
        "ranks that divide the routed experts of each layer, of the student (with --zero-stage "
        "2 or 3) and of teachers (with --teacher-weights sharded): tokens go to the rank that "
        "has their experts and come back; 1: weights come to the tokens",
        {.min = 1});
    v.number("rank-timeout", rank_timeout,
             "seconds after which a rank that hangs, is stopped or is gone ends the run with exit "
             "code 3, naming rank, step and phase",
             {.min = 1});
    v.flag("profile", profile,
           "write profile/rank-….json to the run folder: phases, messages and waits of every rank, "
           "as chrome://tracing and Perfetto show them");
  }
};

/// Place of a teacher's weights between its passes.
enum class TeacherWeightsChoice { automatic, resident, sharded, host };

}  // namespace alambic
