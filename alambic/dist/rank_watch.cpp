#include "alambic/dist/rank_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>
#include <vector>

#include "alambic/base/stopwatch.h"
#include "alambic/dist/meeting.h"

namespace alambic {
namespace {

// What a rank tells of itself.
struct Sign {
  int64_t beats = 0;    // told so often
  int64_t changes = 0;  // of step, phase or waiting
  int64_t step = -1;
  bool waits = false;  // in a collective
  std::string phase = "start";

  std::string text() const {
    return fmt::format("{} {} {} {} {}", beats, changes, step, int{waits}, phase);
  }
  static Sign of(const std::string& text) {
    Sign sign;
    std::istringstream words(text);
    words >> sign.beats >> sign.changes >> sign.step >> sign.waits;
    std::getline(words >> std::ws, sign.phase);
    return sign;
  }
};

// A rank as this one sees it: its last sign, and when something last changed, in seconds.
struct Seen {
  Sign sign;
  double beat = 0, change = 0;

  void update(const Sign& now, double seconds) {
    if (now.beats != sign.beats) beat = seconds;
    if (now.changes != sign.changes) change = seconds;
    sign = now;
  }
  std::string place() const {
    return sign.step < 0 ? sign.phase : fmt::format("step {}, {}", sign.step + 1, sign.phase);
  }
};

}  // namespace

struct RankWatch::State {
  LaunchEnvironment place;
  double seconds;
  std::function<void(const std::string&)> on_hang;
  std::mutex mutex;
  std::condition_variable ends;
  bool ended = false, said = false;
  Sign own;
  std::optional<double> asked;        // when the store was asked what it has not answered
  std::string first_place = "start";  // of rank 0
  Stopwatch clock;
  std::thread thread, asking;

  void run() {
    std::vector<Seen> ranks(leads() ? static_cast<size_t>(place.size) : 1);
    try {
      const auto store = meet(place, std::chrono::seconds(30), /*as_guest=*/true);
      store->setTimeout(std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds)));
      std::unique_lock lock(mutex);
      while (!ends.wait_for(lock, period(), [&] { return ended; })) {
        ++own.beats;
        const Sign told = own;
        asked = clock.seconds();
        lock.unlock();
        const std::optional<std::string> sentence = exchange(*store, told, ranks);
        lock.lock();
        asked.reset();
        first_place = ranks.front().place();
        if (!sentence) continue;
        // Not before all have read it: the store goes with rank 0, and a rank that ends is told of
        // in another way.
        ends.wait_for(lock, 2 * period(), [&] { return ended; });
        return tell(*sentence);
      }
    } catch (const std::exception&) {
      // A store that is gone with its process says so at once, and then collectives tell it better.
      const std::lock_guard lock(mutex);
      const double silent = unanswered();
      asked.reset();
      if (silent < 0.9 * seconds) return;
      tell(no_sign_of(0, silent, ranks.front().place()));
    }
  }

  // Seconds that the store has been asked for, with the mutex held; 0: it is not.
  double unanswered() const { return asked ? clock.seconds() - *asked : 0; }

  // The first sentence alone, with the mutex held.
  void tell(const std::string& sentence) {
    if (!ended && !std::exchange(said, true)) on_hang(sentence);
  }

  // The store's client waits without limit for an answer: behind a cut link, for ever.
  void watch_asking() {
    std::unique_lock lock(mutex);
    while (!ends.wait_for(lock, period(), [&] { return ended; })) {
      const double silent = unanswered();
      if (silent <= seconds) continue;
      const std::string sentence = fmt::format(
          "rank {} of {} has had no answer from {}:{}, where the ranks meet, for {:.0f} s; rank 0 "
          "was at {}: the link is cut, or that machine is gone",
          place.rank, place.size, place.host, place.port, silent, first_place);
      return tell(sentence);
    }
  }

  bool leads() const { return place.rank == 0; }
  std::chrono::duration<double> period() const {
    return std::chrono::duration<double>(std::clamp(seconds / 8, 0.02, 5.0));
  }

  // Tells of this rank and looks at those that it watches; what is wrong, if anything.
  std::optional<std::string> exchange(c10d::Store& store, const Sign& told,
                                      std::vector<Seen>& ranks) const {
    const auto key = [](size_t rank) { return fmt::format("watch/{}", rank); };
    const std::string verdict = "watch/verdict";
    store.set(key(static_cast<size_t>(place.rank)), told.text());
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      if (!store.check({key(rank)})) continue;
      ranks[rank].update(Sign::of(store.get_to_str(key(rank))), clock.seconds());
    }
    if (!leads() && store.check({verdict})) return store.get_to_str(verdict);
    const std::optional<std::string> sentence = who_hangs(ranks);
    if (sentence && leads()) store.set(verdict, *sentence);
    return sentence;
  }

  std::string no_sign_of(size_t rank, double silent, const std::string& where) const {
    return fmt::format(
        "rank {} of {} has given no sign of life for {:.0f} s; it was at {}: its process is "
        "stopped, "
        "or its machine is gone",
        rank, place.size, silent, where);
  }

  std::optional<std::string> who_hangs(const std::vector<Seen>& ranks) const {
    const double now = clock.seconds();
    const bool somebody_waits = std::ranges::any_of(
        ranks, [&](const Seen& rank) { return rank.sign.waits && now - rank.change > seconds; });
    for (size_t r = 0; r < ranks.size(); ++r) {
      const Seen& rank = ranks[r];
      if (rank.sign.beats > 0 && now - rank.beat > seconds) {
        return no_sign_of(r, now - rank.beat, rank.place());
      }
      if (somebody_waits && !rank.sign.waits && now - rank.change > seconds) {
        return fmt::format("rank {} of {} hangs: for {:.0f} s it has been at {}, and others wait",
                           r, place.size, now - rank.change, rank.place());
      }
    }
    return std::nullopt;
  }

  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex);
    change(own);
    ++own.changes;
  }
};

RankWatch::RankWatch(const World& world, double seconds,
                     std::function<void(const std::string&)> on_hang) {
  if (world.alone()) return;
  state_ = std::make_unique<State>();
  state_->place = world.place();
  state_->seconds = seconds;
  state_->on_hang = std::move(on_hang);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  state_->asking = std::thread([state = state_.get()] { state->watch_asking(); });
}

RankWatch::~RankWatch() {
  if (!state_) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->ends.notify_all();
  state_->asking.join();
  state_->thread.join();
}

void RankWatch::at(int64_t step, const std::string& phase) {
  if (!state_) return;
  state_->change([&](Sign& own) {
    own.step = step;
    own.phase = phase;
  });
}

void RankWatch::see(const std::string&, MessageEvent event) {
  if (!state_ || event == MessageEvent::sent) return;
  state_->change([&](Sign& own) { own.waits = event == MessageEvent::waits; });
}

}  // namespace alambic
