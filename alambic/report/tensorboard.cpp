#include "alambic/report/tensorboard.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "alambic/base/error.h"
#include "alambic/report/run_files.h"

namespace alambic {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    table[byte] = crc;
  }
  return table;
}

template <class Integer>
std::string little_endian(Integer value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

// TFRecord rotates and shifts the CRC so that a CRC of bytes that contain CRCs stays useful.
std::string masked_crc(std::string_view bytes) {
  return little_endian(std::rotr(crc32c(bytes), 15) + 0xA282EAD8);
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

// Protobuf wire format: a key of (field number, wire type), then the value.
std::string varint_field(int number, int64_t value) {
  return varint(number << 3 | 0) + varint(static_cast<uint64_t>(value));
}
std::string double_field(int number, double value) {
  return varint(number << 3 | 1) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string bytes_field(int number, std::string_view value) {
  return varint(number << 3 | 2) + varint(value.size()) + std::string(value);
}
std::string float_field(int number, float value) {
  return varint(number << 3 | 5) + little_endian(std::bit_cast<uint32_t>(value));
}

// Field numbers of event.proto and summary.proto.
constexpr int event_wall_time = 1, event_step = 2, event_file_version = 3, event_summary = 5,
              event_session_log = 7;
constexpr int summary_value = 1, value_tag = 1, value_simple_value = 2;
constexpr int session_log_status = 1, session_start = 1;

double now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

fs::path event_file(const fs::path& folder) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) std::strcpy(host.data(), "localhost");
  return folder /
         fmt::format("{}{:.0f}.{}.{}", run_files::events_prefix, now(), host.data(), ::getpid());
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = crc_table();
  uint32_t crc = ~uint32_t{0};
  for (const char byte : bytes) {
    crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF];
  }
  return ~crc;
}

std::string tfrecord(std::string_view payload) {
  const std::string length = little_endian(uint64_t{payload.size()});
  return length + masked_crc(length) + std::string(payload) + masked_crc(payload);
}

std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    summary +=
        bytes_field(summary_value, bytes_field(value_tag, tag) +
                                       float_field(value_simple_value, static_cast<float>(value)));
  }
  return double_field(event_wall_time, wall_time) + varint_field(event_step, step) +
         bytes_field(event_summary, summary);
}

std::string tensorboard_tag(std::string_view metric) {
  if (metric.starts_with("valid_")) return "valid/" + std::string(metric.substr(6));
  const bool speed = metric.find("seconds") != metric.npos || metric.ends_with("_per_second") ||
                     metric.ends_with("_bytes");
  return (speed ? "speed/" : "train/") + std::string(metric);
}

EventWriter::EventWriter(const fs::path& folder, std::optional<int64_t> resume_step)
    : file_(event_file(folder)) {
  file_.append(tfrecord(double_field(event_wall_time, now()) +
                        bytes_field(event_file_version, "brain.Event:2")));
  if (!resume_step) return;
  const std::string start = varint_field(session_log_status, session_start);
  file_.append(tfrecord(double_field(event_wall_time, now()) +
                        varint_field(event_step, *resume_step + 1) +
                        bytes_field(event_session_log, start)));
}

void EventWriter::append(const MetricsRow& row) {
  const std::optional<double> step = row.number("step");
  check(step.has_value(), "a metrics row without a step");
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [name, value] : row.entries) {
    const std::optional<double> number = row.number(name);
    if (name != "step" && number) scalars.emplace_back(tensorboard_tag(name), *number);
  }
  file_.append(tfrecord(scalar_event(now(), static_cast<int64_t>(*step), scalars)));
}

}  // namespace alambic
