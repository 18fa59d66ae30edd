// The ranks of a job and what they tell each other. Transport is c10d's: Gloo between CPUs, and
// between devices what they have (device_transport.h), else through their hosts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alambic/base/launch_environment.h"
#include "alambic/tensor/tensor.h"

namespace c10d {
class Backend;
}

namespace alambic {

/// Numbers on their way from other ranks.
class Message {
 public:
  /// Nothing on its way.
  Message() = default;
  /// Returns when they are there; at once where nothing is on its way. Errors are World's.
  void wait();
  bool on_its_way() const { return state_ != nullptr; }

 private:
  friend class World;
  struct State;
  std::shared_ptr<State> state_;
};

/// What happens to a message: it is on its way, this rank does nothing but wait for it, it is
/// there.
enum class MessageEvent { sent, waits, there };

/// One process's place among the ranks of a job, and its connection to them. Every call but the
/// getters, send() and receive() is a collective: all ranks call it, in the same order. Of a single
/// process it does nothing. `doing` says for messages what the ranks are at. Environment errors: a
/// rank that has ended or cannot be reached, one that is not there within the time.
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
  /// Makes a CPU's contiguous numbers those of rank 0.
  void from_first(const Tensor& numbers, const std::string& doing) const;
  /// `seconds`: a limit of its own, where ranks wait for each other's disks; 0: the world's.
  void wait_for_all(const std::string& doing, double seconds = 0) const;

  /// Begins to complete `whole`, a contiguous row, from the ranks' equal parts of it, that of rank
  /// 0 first. Neither tensor is to be touched before the message is there.
  Message gather_rows(const Tensor& whole, const Tensor& own, const std::string& doing) const;
  /// This rank's of the equal parts of the ranks' rows added up.
  Tensor reduce_rows(const Tensor& whole, const std::string& doing) const;

  /// All-to-all: the rows that other ranks send to this one, by rank, `arrives` of each; of these
  /// rows, as long ones, each gets the next `sent`.
  Tensor exchange_rows(const Tensor& rows, std::vector<int64_t> sent, std::vector<int64_t> arrives,
                       const std::string& doing) const;

  /// Begins to send bytes to one rank. Messages with one `tag` come in the order in which they were
  /// sent, those with another when they are received.
  Message send(std::string bytes, int64_t to, int64_t tag, const std::string& doing) const;
  /// The next bytes that one rank sends to this one with this tag; uint8.
  Tensor receive(int64_t from, int64_t tag, const std::string& doing) const;

  /// The ranks before `first`, or those from it on, as the one or the other has this rank. All
  /// ranks ask together.
  std::shared_ptr<const World> split(int64_t first) const;
  /// Groups of `size` consecutive ranks, of which this rank's is returned; and those of the ranks
  /// that have the same place in each of these. All ranks ask together.
  std::shared_ptr<const World> group(int64_t size) const;
  std::shared_ptr<const World> across_groups(int64_t size) const;

  /// Bytes that this rank has received, by what was being done: of n ranks (n − 1)/n of what is
  /// gathered, told or reduced to parts, and twice that of what all have the sum of; of rows that
  /// are exchanged those of other ranks.
  const std::map<std::string, double>& received() const { return *received_; }

  /// Seconds in which this rank did nothing but wait for messages.
  double waited() const { return *waited_; }

  /// Called for every message of this world and its groups, with what is being done, on the thread
  /// that asks; empty: nobody.
  using OnMessage = std::function<void(const std::string& doing, MessageEvent event)>;
  void on_message(OnMessage hook) const { *hook_ = std::move(hook); }

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
  std::shared_ptr<World> part_of(int64_t rank, int64_t size, const std::string& name) const;
  c10d::Backend& carrier(at::Device device) const;
  at::Device road(at::Device device) const;
  void count(double bytes, const std::string& doing) const;

  LaunchEnvironment place_;
  std::shared_ptr<std::map<std::string, double>> received_ =
      std::make_shared<std::map<std::string, double>>();
  std::shared_ptr<double> waited_ = std::make_shared<double>(0);
  std::shared_ptr<OnMessage> hook_ = std::make_shared<OnMessage>();
  std::unique_ptr<Link> link_;  // null: alone
};

}  // namespace alambic
