#include "alambic/train/rank_exchange.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "alambic/base/error.h"

namespace alambic {
namespace {

/// Values one after the other, of ranks that run the same program on alike machines.
struct Writer {
  std::string bytes;

  template <class T>
  void value(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class List>
  void list(const List& list) {
    value<uint64_t>(list.size());
    bytes.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(list[0]));
  }
};

struct Reader {
  const std::string& bytes;
  size_t place = 0;

  bool done() const { return place == bytes.size(); }
  void copy(void* to, size_t size) {
    check(size <= bytes.size() - place, "a rank's message ends after {} bytes", bytes.size());
    std::memcpy(to, bytes.data() + place, size);
    place += size;
  }
  template <class T>
  T value() {
    T value{};
    copy(&value, sizeof value);
    return value;
  }
  template <class List>
  List list() {
    List list(value<uint64_t>(), typename List::value_type());
    copy(list.data(), list.size() * sizeof(list[0]));
    return list;
  }
};

// The messages of all ranks, each read with `read` until its end.
template <class Item, class Read>
std::vector<Item> collect(const std::vector<std::string>& messages, const Read& read) {
  std::vector<Item> items;
  for (const std::string& message : messages) {
    for (Reader reader{message}; !reader.done();) items.push_back(read(reader));
  }
  return items;
}

void keep_larger(Metrics& figures, const std::string& name, double value) {
  const auto place = std::ranges::find(figures, name, &Metrics::value_type::first);
  if (place == figures.end()) {
    figures.emplace_back(name, value);
  } else {
    place->second = std::max(place->second, value);
  }
}

}  // namespace

std::vector<Completion> all_completions(const World& world, std::vector<Completion> own) {
  if (world.alone()) return own;
  Writer writer;
  for (const Completion& completion : own) {
    writer.list(completion.tokens);
    writer.list(completion.logp);
    writer.list(completion.weights);
    writer.value(completion.ending);
  }
  return collect<Completion>(world.gather(writer.bytes, "collecting completions"),
                             [](Reader& reader) {
                               Completion completion;
                               completion.tokens = reader.list<std::vector<int32_t>>();
                               completion.logp = reader.list<std::vector<float>>();
                               completion.weights = reader.list<std::vector<float>>();
                               completion.ending = reader.value<Ending>();
                               return completion;
                             });
}

int64_t largest_of_ranks(const World& world, int64_t number, const std::string& doing) {
  std::vector<int64_t> numbers(static_cast<size_t>(world.size()), 0);
  numbers[static_cast<size_t>(world.rank())] = number;
  numbers = world.sum(numbers, doing);
  return *std::ranges::max_element(numbers);
}

std::vector<Score> all_scores(const World& world, std::vector<Score> own) {
  if (world.alone()) return own;
  Writer writer;
  for (const Score& score : own) {
    writer.value(score.value);
    writer.list(score.dropped);
  }
  return collect<Score>(world.gather(writer.bytes, "collecting scores"), [](Reader& reader) {
    Score score;
    score.value = reader.value<float>();
    score.dropped = reader.list<std::string>();
    return score;
  });
}

std::string to_bytes(const Metrics& figures) {
  Writer writer;
  for (const auto& [name, value] : figures) {
    writer.list(name);
    writer.value(value);
  }
  return writer.bytes;
}

Metrics metrics_of_bytes(const std::string& bytes) {
  Metrics figures;
  for (Reader reader{bytes}; !reader.done();) {
    std::string name = reader.list<std::string>();
    figures.emplace_back(std::move(name), reader.value<double>());
  }
  return figures;
}

void add_ranks(const World& world, double waited, StepReport& report) {
  if (world.alone()) return;
  Metrics means = {{"", report.loss}};
  means.insert(means.end(), report.means.begin(), report.means.end());
  const auto of_all = world.gather(to_bytes(means), "adding losses");
  Metrics spent_here = {{"", -waited}};
  spent_here.insert(spent_here.end(), report.seconds.begin(), report.seconds.end());
  const auto seconds = world.gather(to_bytes(spent_here), "comparing times");
  report.loss = 0;
  report.means.clear();
  for (const std::string& bytes : of_all) {
    for (const auto& [name, part] : metrics_of_bytes(bytes)) {
      (name.empty() ? report.loss : report.means[name]) += part;
    }
  }
  std::vector<double> totals;
  for (const std::string& bytes : seconds) {
    double& total = totals.emplace_back(0);
    for (const auto& [name, spent] : metrics_of_bytes(bytes)) {
      if (!name.empty()) keep_larger(report.seconds, name, spent);
      total += spent;
    }
  }
  const auto slowest = std::ranges::max_element(totals);
  const double mean =
      std::accumulate(totals.begin(), totals.end(), 0.0) / static_cast<double>(totals.size());
  report.extra.emplace_back("slowest_rank", static_cast<double>(slowest - totals.begin()));
  report.extra.emplace_back("slowest_rank_share", mean > 0 ? *slowest / mean - 1 : 0);
}

void add_teacher_ranks(const World& learners, TeacherRanks& teachers, StepReport& report) {
  std::vector<int64_t> microseconds;
  for (const double seconds : teachers.take_seconds()) {
    microseconds.push_back(std::llround(1e6 * seconds));
  }
  microseconds = learners.sum(microseconds, "adding the teachers' time");
  report.extra.emplace_back("teacher_rank_seconds",
                            1e-6 * static_cast<double>(*std::ranges::max_element(microseconds)));
}

void sum_gradients(const World& world, AdamW& optimizer) {
  if (LayerWeights* layers = optimizer.layers()) layers->finish_gradients();
  if (!world.alone()) world.sum(optimizer.gradients(), "adding gradients");
}

}  // namespace alambic
