// The ranks of a job and what they tell each other. Transport is c10d's: Gloo between CPUs.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alambic/base/launch_environment.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// One process's place among the ranks of a job, and its connection to them. Every call but the
/// getters is a collective: all ranks call it, in the same order. Of a single process it does
/// nothing. `doing` says for messages what the ranks are at. Environment errors: a rank that has
/// ended or cannot be reached, one that is not there within the time.
class World {
 public:
  /// A single process.
  World();
  /// Joins the other ranks of the environment; waits up to `seconds` for them, and as long in each
  /// collective.
  explicit World(const LaunchEnvironment& place, double seconds = 1800);
  ~World();
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;

  int64_t rank() const { return place_.rank; }
  int64_t size() const { return place_.size; }
  bool alone() const { return place_.size == 1; }
  /// Rank 0 speaks, validates and writes files.
  bool leads() const { return place_.rank == 0; }
  const LaunchEnvironment& place() const { return place_; }

  /// First of `count` items in a row that are this rank's, and the first that are not any more:
  /// shares differ by one item at most.
  int64_t begin(int64_t count) const { return count * place_.rank / place_.size; }
  int64_t end(int64_t count) const { return count * (place_.rank + 1) / place_.size; }

  /// Of a tensor's `numbers`, which begin at `place` of `count` in a row, those that are this
  /// rank's: the first and one past the last, counted from the tensor's first.
  std::pair<int64_t, int64_t> part(int64_t place, int64_t numbers, int64_t count) const;

  /// Adds the ranks' tensors up, in place: all ranks then hold the same bits. Narrower floats are
  /// added in float32 and rounded once. Every rank gives the same shapes.
  void sum(const std::vector<Tensor>& tensors, const std::string& doing) const;
  /// Completes tensors of which every rank has its part: of all their numbers in a row those from
  /// begin() to end(). Contiguous, and the same shapes on every rank.
  void spread(const std::vector<Tensor>& tensors, const std::string& doing) const;
  /// The same of one tensor, whose numbers begin at `place` of `count` in a row, on rank 0 alone:
  /// the others give their part of it.
  void to_first(const Tensor& tensor, int64_t place, int64_t count, const std::string& doing) const;
  /// Sum of one number of each rank.
  double sum(double number, const std::string& doing) const;
  int64_t sum(int64_t number, const std::string& doing) const;
  /// Number by number; lists that are shorter on some ranks end in zeros there.
  std::vector<int64_t> sum(const std::vector<int64_t>& numbers, const std::string& doing) const;
  /// The bytes of every rank, by rank.
  std::vector<std::string> gather(const std::string& bytes, const std::string& doing) const;
  double from_first(double number, const std::string& doing) const;
  /// The bytes of rank 0; what the others give is not looked at.
  std::string from_first(const std::string& bytes, const std::string& doing) const;
  void wait_for_all(const std::string& doing) const;

  /// An input error that names a rank where the ranks' texts are not equal. `what` in plural.
  void require_equal(const std::string& text, const std::string& what) const;

  /// Runs `make` on rank 0 and then, when its files are there, on the others.
  template <class Make>
  auto first_alone(const std::string& doing, const Make& make) const {
    if (!leads()) wait_for_all(doing);
    auto made = make();
    if (leads()) wait_for_all(doing);
    return made;
  }

 private:
  struct Link;

  LaunchEnvironment place_;
  std::unique_ptr<Link> link_;  // null: alone
};

}  // namespace alambic
