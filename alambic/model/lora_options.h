// Which part of a student is trained. Torch-free: the command line parses it.
#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// A low-rank adapter beside every target, the model itself frozen.
struct LoraOptions {
  int64_t rank = 0;  ///< 0: no adapter
  double alpha = 16;
  double dropout = 0;
  /// Module names or their ends ("q_proj", "mlp.c_proj"); "all-linear": all but the head
  /// and routed experts.
  std::vector<std::string> targets;
  bool rslora = false;
  bool dora = false;

  /// What alpha means for an adapter of this rank.
  double scaling(int64_t rank_of_target) const;

  void visit(OptionVisitor& v) {
    v.integer("lora-rank", rank, "train low-rank adapters of this rank instead; 0: no adapter",
              {.min = 0});
    v.number("lora-alpha", alpha, "the adapter is scaled by this over its rank", {.min = 0});
    v.number("lora-dropout", dropout, "share of an adapter's inputs that is dropped in training",
             {.min = 0, .max = 0.99});
    v.list("lora-targets", targets,
           "modules that get an adapter, by name (q_proj); none or all-linear: all linear maps "
           "but the head and routed experts");
    v.flag("rslora", rslora, "scale by alpha over the square root of the rank");
    v.flag("dora", dora, "learn the norms of the weights' rows too (DoRA)");
  }
};

struct TrainableOptions {
  std::string freeze = "nothing";
  LoraOptions lora;

  void visit(OptionVisitor& v) {
    v.group("What is trained");
    v.choice("freeze", freeze, {"nothing", "embeddings"},
             "what keeps its values; embeddings: those of tokens and positions, and a tied head");
    lora.visit(v);
  }
};

}  // namespace alambic
