// Limits of one rendering. A template is a program from a stranger: without limits a line of it
// runs forever or fills the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "alambic/text/jinja/failure.h"

namespace alambic::jinja {

struct Limits {
  int64_t steps = 2'000'000;        ///< expressions and statements evaluated, items visited
  int64_t text = int64_t{1} << 28;  ///< bytes of text made in all
  int64_t single = 1 << 24;         ///< bytes of one text, the result too
  int depth = 400;                  ///< evaluations inside each other
  double seconds = 0.8;             ///< the thread's processor time
};

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits), start_(processor_seconds()) {}

  /// A negative count stands for one that overflows.
  void spend(int64_t steps) {
    if (steps < 0 || steps > limits_.steps - steps_) {
      steps_ = limits_.steps;
      throw Failure("limit", fmt::format("the template took more than {} steps", limits_.steps));
    }
    steps_ += steps;
    if (++spends_ % 256 == 0) check_time();
  }
  /// Counts a text of so many bytes before it is made; `slow` counts work on each character too.
  void text(int64_t bytes, bool slow = false) {
    check_single(bytes);
    text_ += bytes;
    if (text_ > limits_.text) refuse_text(limits_.text);
    if (slow) spend(bytes / 16);
    if (bytes > 1 << 16) check_time();
  }
  void check_single(int64_t bytes) const {
    if (bytes < 0 || bytes > limits_.single) refuse_text(limits_.single);
  }

  /// One level of nesting, as long as it lives.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (++budget_.depth_ > budget_.limits_.depth) {
        --budget_.depth_;
        throw Failure("RecursionError", fmt::format("the template nests calls and expressions "
                                                    "more than {} deep",
                                                    budget_.limits_.depth));
      }
    }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  [[noreturn]] static void refuse_text(int64_t limit) {
    throw Failure("limit", fmt::format("the template makes more than {} MB of text", limit >> 20));
  }

  static double processor_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }
  void check_time() const {
    if (processor_seconds() - start_ > limits_.seconds) {
      throw Failure("limit", fmt::format("the template took more than {} seconds of processor time",
                                         limits_.seconds));
    }
  }

  Limits limits_;
  double start_;
  int64_t spends_ = 0;
  int64_t steps_ = 0;
  int64_t text_ = 0;
  int depth_ = 0;
};

}  // namespace alambic::jinja
