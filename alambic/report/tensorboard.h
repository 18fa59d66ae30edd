// TensorBoard event files: records in TFRecord framing, each an `Event` message of
// tensorboard/compat/proto/event.proto, written without protobuf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alambic/report/append_file.h"
#include "alambic/report/metrics.h"

namespace alambic {

/// CRC-32C (Castagnoli), as in RFC 3720 B.4.
uint32_t crc32c(std::string_view bytes);

/// Length, masked CRC of the length, payload, masked CRC of the payload; little-endian.
std::string tfrecord(std::string_view payload);

/// A serialized `Event` with one `Summary.Value` per (tag, value). `wall_time` in seconds since
/// 1970. Values are float32, as TensorBoard's scalars are.
std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars);

/// "valid_loss" -> "valid/loss"; durations, rates and memory -> "speed/…"; the rest "train/…".
std::string tensorboard_tag(std::string_view metric);

class EventWriter {
 public:
  /// Creates `events.out.tfevents.<seconds>.<host>.<pid>` in the folder. When a run is resumed
  /// TensorBoard is told to forget what older files hold after `resume_step`.
  explicit EventWriter(const fs::path& folder, std::optional<int64_t> resume_step = {});

  /// One event with every number of the row except "step", which must be there.
  void append(const MetricsRow& row);

 private:
  AppendFile file_;
};

}  // namespace alambic
