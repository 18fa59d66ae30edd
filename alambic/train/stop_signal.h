#pragma once

namespace alambic {

/// Flag that, while this object lives, the first SIGINT or SIGTERM sets, so that the trainer can
/// finish its step and save; the second ends the program at once.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  bool requested() const;
};

}  // namespace alambic
