// The part of a student that is trained. Torch-free: the command line parses it.
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
  /// Modules that are trained whole and saved with the adapter, by the ends of their names, as
  /// PEFT's modules_to_save ("norm" is every module whose name ends so).
  std::vector<std::string> modules_to_save;
  bool rslora = false;
  bool dora = false;

  /// Factor of an adapter of this rank, from alpha.
  double scaling(int64_t rank_of_target) const;

  void visit(OptionVisitor& v) {
    const Because rank_hint{.hint = "--lora-rank 16 trains an adapter of rank 16"};
    v.integer("lora-rank", rank,
              "train low-rank adapters of this rank instead, beside weights that stay as their "
              "file has them (a GGUF file's in its blocks); 0: no adapter",
              {.min = 0});
    v.number("lora-alpha", alpha, "the adapter is scaled by this over its rank", {.min = 0})
        .only_with("lora-rank", rank_hint);
    v.number("lora-dropout", dropout, "share of an adapter's inputs that is dropped in training",
             {.min = 0, .max = 0.99})
        .only_with("lora-rank", rank_hint);
    v.list("lora-targets", targets,
           "modules that get an adapter, by name (q_proj); none or all-linear: all linear maps "
           "but the head and routed experts")
        .only_with("lora-rank", rank_hint);
    v.list("lora-modules-to-save", modules_to_save,
           "modules that are trained whole beside the adapter and saved with it, by the ends of "
           "their names (lm_head, embed_tokens)")
        .only_with("lora-rank", rank_hint);
    v.flag("rslora", rslora, "scale by alpha over the square root of the rank")
        .only_with("lora-rank", rank_hint);
    v.flag("dora", dora, "learn the norms of the weights' rows too (DoRA)")
        .only_with("lora-rank", rank_hint);
  }
};

/// Part of a model that keeps its values; embeddings: those of tokens and positions, and a tied
/// head.
enum class Frozen { nothing, embeddings };

struct TrainableOptions {
  Frozen freeze = Frozen::nothing;
  LoraOptions lora;

  void visit(OptionVisitor& v) {
    v.group("What is trained");
    v.choice("freeze", freeze, {{"nothing", Frozen::nothing}, {"embeddings", Frozen::embeddings}},
             "what keeps its values; embeddings: those of tokens and positions, and a tied head")
        .not_with("lora-rank", {.reason = "an adapter freezes everything"});
    lora.visit(v);
  }
};

}  // namespace alambic
