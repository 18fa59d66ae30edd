#include "alambic/train/phase_clock.h"

#include <algorithm>

#include "alambic/tensor/device.h"

namespace alambic {

void PhaseClock::begin(const std::string& phase) {
  if (phase == running_) return;
  end();
  running_ = phase;
  callback_(phase);
  watch_.lap();
}

Metrics PhaseClock::seconds() {
  end();
  return seconds_;
}

void PhaseClock::end() {
  if (running_.empty()) return;
  const std::string name = running_ + "_seconds";
  running_.clear();
  synchronize(device_);
  const auto place = std::ranges::find(seconds_, name, &Metrics::value_type::first);
  if (place == seconds_.end()) {
    seconds_.emplace_back(name, watch_.lap());
  } else {
    place->second += watch_.lap();
  }
}

}  // namespace alambic
