#include "alambic/train/mask_watch.h"

#include "alambic/base/error.h"
#include "alambic/base/log.h"

namespace alambic {

void MaskWatch::see(double masked, int64_t tokens) {
  constexpr int64_t enough = 1000;
  constexpr double told = 0.01, too_much = 0.1;
  masked_ += masked;
  tokens_ += tokens;
  if (tokens_ < enough) return;
  const double share = masked_ / static_cast<double>(tokens_);
  if (share > too_much) {
    throw input_error(
        "{:.0f} % of the completions' tokens cannot be compared with the teacher's: its tokenizer "
        "changes their bytes, or lacks their special tokens",
        100 * share)
        .with_hint("`alambic check` with the same options shows what is masked");
  }
  if (share > told && !told_) {
    warn(
        "{:.1f} % of the completions' tokens are masked: the teacher's tokenizer changes their "
        "bytes, or lacks their special tokens",
        100 * share);
    told_ = true;
  }
}

}  // namespace alambic
