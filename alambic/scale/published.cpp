#include "alambic/scale/published.h"

#include <algorithm>

namespace alambic {

const std::vector<PublishedRun>& published_runs() {
  static const std::vector<PublishedRun> runs = {
      {.name = "Llama 3 405B, 16,384 H100",
       .source = "arXiv 2407.21783, table 4: 38 to 43 % of 989 TFLOP/s",
       .device = "h100",
       .active = 405e9,
       .attention = 126.0 * 16384 * 8192,
       .stages = 16,
       .micro_batches = 16 * 8,
       .measured = 400},
      {.name = "torchtitan, Llama 3 8B, 8 H100, compiled",
       .source = "arXiv 2410.06511: 6,667 tokens/s and device",
       .device = "h100",
       .active = 7.5e9,
       .attention = 32.0 * 4096 * 4096,
       .recomputed = 0.5,
       .measured = 343},
      {.name = "torchtitan, Llama 3 8B, H200, fp8",
       .source = "PyTorch's blog: 10,938 tokens/s and device",
       .device = "h200",
       .active = 7.5e9,
       .attention = 32.0 * 4096 * 4096,
       .fp8 = true,
       .recomputed = 0.5,
       .measured = 563},
      {.name = "nanochat d24, 8 H100",
       .source = "nanochat: 4.33e19 FLOP in 10,949 s",
       .device = "h100",
       .active = 0.8e9,
       .measured = 494},
      {.name = "Megatron, GPT-3 175B, 96 H100",
       .source = "Megatron-LM: 47 % of 989 TFLOP/s",
       .device = "h100",
       .active = 175e9,
       .attention = 96.0 * 12288 * 2048,
       .stages = 12,
       .micro_batches = 1152 * 8,
       .measured = 465},
      {.name = "Megatron, GPT-3 175B, 4,608 H100, same batch",
       .source = "Megatron-LM: 42 % of 989 TFLOP/s",
       .device = "h100",
       .active = 175e9,
       .attention = 96.0 * 12288 * 2048,
       .stages = 12,
       .micro_batches = 24 * 8,
       .measured = 415},
      // Its fp8 products, in small tiles, are counted at bf16's pace. Tokens of 58 layers go
      // to at most four nodes, 8-bit there and 16-bit back, both again for the gradients.
      {.name = "DeepSeek-V3, 2,048 H800",
       .source = "arXiv 2412.19437: 14.8 T tokens in 2.664 M hours",
       .device = "h100",
       .active = 37e9,
       .stages = 16,
       .micro_batches = 120,
       .network_bytes = 58 * 2 * 4 * 7168 * 3.0,
       .measured = 343}};
  return runs;
}

double predicted(const PublishedRun& run, const Efficiency& efficiency) {
  const DeviceKind& device = device_kind(run.device);
  const double useful = 6 * run.active + 12 * run.attention;
  const double done = useful * (6 + 2 * run.recomputed) / 6;
  double compute = done / (run.fp8 ? device.fp8 : device.bf16) / efficiency.learn;
  compute *= 1 + (run.stages - 1) / run.micro_batches;
  const double traffic = run.network_bytes / device.network;
  const double seconds =
      std::max(compute, traffic) + (1 - efficiency.overlap) * std::min(compute, traffic);
  return useful / seconds / 1e12;
}

}  // namespace alambic
