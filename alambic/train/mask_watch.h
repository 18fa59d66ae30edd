#pragma once

#include <cstdint>

namespace alambic {

/// Watches how many of the student's tokens are in no span of a teacher with another tokenizer.
/// After 1,000 tokens: more than 1 % are told once, more than 10 % end the run (an input error),
/// since what is learned is then not what was written.
class MaskWatch {
 public:
  void see(double masked, int64_t tokens);

 private:
  double masked_ = 0;
  int64_t tokens_ = 0;
  bool told_ = false;
};

}  // namespace alambic
