#include "alambic/report/metric_info.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "alambic/base/units.h"

namespace alambic {
namespace {

struct Known {
  std::string_view key, label, unit;
  MetricKind kind = MetricKind::number;
};

constexpr std::array known_metrics{
    Known{"loss", "Loss", "nats per token"},
    Known{"reverse_kl", "Reverse KL", "nats per token"},
    Known{"forward_kl", "Forward KL", "nats per token"},
    Known{"sampled_reverse_kl", "Reverse KL of the drawn tokens", "nats per token"},
    Known{"long_term_kl", "Long-term term", ""},
    Known{"sampled_entropy", "Entropy of the drawn tokens", "nats per token"},
    Known{"clip_share", "Clipped tokens", "", MetricKind::share},
    Known{"reference_kl", "KL from the starting student", "nats per token"},
    Known{"reward", "Mean score", ""},
    Known{"reward_std", "Score's deviation within a prompt", ""},
    Known{"dropped_share", "Completions without a score", "", MetricKind::share},
    Known{"equal_share", "Prompts whose completions score alike", "", MetricKind::share},
    Known{"jsd", "Jensen–Shannon", "nats per token"},
    Known{"student_entropy", "Student", "nats per token"},
    Known{"teacher_entropy", "Teacher", "nats per token"},
    Known{"hidden_mse", "Layers' mean square difference", ""},
    Known{"hidden_cosine", "Layers' 1 - cosine", ""},
    Known{"cross_entropy", "Cross-entropy", "nats per token"},
    Known{"exact_match", "Exact match", "", MetricKind::share},
    Known{"agreement", "Top-1 agreement", "", MetricKind::share},
    Known{"load_balance", "Load balance of experts", "k: all are used alike"},
    Known{"largest_expert_share", "Tokens of a layer's busiest expert", "", MetricKind::share},
    Known{"grad_norm", "Gradient norm", ""},
    Known{"learning_rate", "Learning rate", ""},
    Known{"tokens", "Tokens", "per step", MetricKind::count},
    Known{"completion_length", "Answer length", "tokens", MetricKind::count},
    Known{"eos_share", "Completions that ended by themselves", "", MetricKind::share},
    Known{"repetition", "Repeated 4-grams of a completion", "", MetricKind::share},
    Known{"tokens_per_second", "Overall", "tokens/s", MetricKind::count},
    Known{"peak_memory_bytes", "Peak memory", "", MetricKind::bytes},
    Known{"device_peak_memory_bytes", "Peak GPU memory", "", MetricKind::bytes},
    Known{"seconds", "Time", "", MetricKind::seconds},
};

MetricKind guess_kind(std::string_view key) {
  const auto has = [&](std::string_view word) { return key.find(word) != key.npos; };
  if (key.ends_with("_per_second")) return MetricKind::count;
  if (has("seconds")) return MetricKind::seconds;
  if (has("bytes")) return MetricKind::bytes;
  if (has("accuracy") || has("agreement") || has("share")) return MetricKind::share;
  if (has("tokens") || has("parameters") || has("steps") || has("_length")) {
    return MetricKind::count;
  }
  return MetricKind::number;
}

std::string words(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

MetricInfo metric_info(std::string_view key) {
  for (const Known& known : known_metrics) {
    if (known.key == key) {
      return {std::string(known.label), std::string(known.unit), known.kind};
    }
  }
  if (key.starts_with("valid_") && key.size() > 6) {
    MetricInfo info = metric_info(key.substr(6));
    info.label[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(info.label[0])));
    info.label = "Validation " + info.label;
    return info;
  }
  if (key.ends_with("_tokens_per_second")) {
    return {words(key.substr(0, key.size() - 18)), "tokens/s", MetricKind::count};
  }
  const MetricKind kind = guess_kind(key);
  return {words(key), "", kind};
}

int metric_rank(std::string_view key) {
  if (key.starts_with("valid_")) key.remove_prefix(6);
  if (key == "exact_match" || key.ends_with("accuracy")) return 0;
  return key == "loss" ? 1 : 2;
}

std::string format_metric(double value, MetricKind kind) {
  if (!std::isfinite(value)) return "not finite";
  switch (kind) {
    case MetricKind::share:
      return fmt::format("{:.1f} %", 100 * value);
    case MetricKind::seconds:
      return human_duration(value);
    case MetricKind::bytes:
      return human_bytes(value);
    case MetricKind::count:
      if (std::abs(value) >= 1e6) return human_count(value);
      if (std::abs(value) >= 100) return with_separators(std::llround(value));
      return fmt::format("{:.{}f}", value, value == std::round(value) ? 0 : 1);
    case MetricKind::number:
      break;
  }
  // Numbers under each other in a table are easier to compare with the same decimals.
  const double size = std::abs(value);
  return size >= 0.01 && size < 100 ? fmt::format("{:.3f}", value) : fmt::format("{:.3g}", value);
}

}  // namespace alambic
