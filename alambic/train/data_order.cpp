#include "alambic/train/data_order.h"

#include <numeric>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/base/random.h"

namespace alambic {

namespace {

// Fisher-Yates with a draw per place.
std::vector<int64_t> shuffled(uint64_t seed, uint64_t epoch, int64_t count) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {
    const Draw draw{seed, Stream::data_order, epoch, static_cast<uint64_t>(i)};
    std::swap(order[i], order[uniform_below(draw, static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

// Of its own: sources of the same size are shuffled differently.
uint64_t seed_of(uint64_t seed, size_t source) {
  const auto words = random_words({seed, Stream::mixture, UINT64_MAX, source});
  return static_cast<uint64_t>(words[0]) << 32 | words[1];
}

}  // namespace

DataOrder::DataOrder(uint64_t seed, const std::vector<RowShare>& shares) : seed_(seed) {
  double total = 0, sum = 0;
  for (const RowShare& share : shares) total += share.weight;
  int64_t first = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].rows == 0) throw input_error("source {} of the data has no rows", i + 1);
    sum += shares[i].weight;
    sources_.push_back({.seed = shares.size() == 1 ? seed : seed_of(seed, i),
                        .first = first,
                        .count = shares[i].rows,
                        .below = total > 0 ? sum / total : 1});
    first += shares[i].rows;
  }
  sources_.back().below = 1;
}

int64_t DataOrder::Source::at(int64_t i) {
  if (i / count != epoch) {
    epoch = i / count;
    order = shuffled(seed, static_cast<uint64_t>(epoch), count);
  }
  return first + order[i % count];
}

size_t DataOrder::draw(int64_t place) const {
  const double drawn = uniform({seed_, Stream::mixture, static_cast<uint64_t>(place)});
  size_t source = 0;
  while (drawn >= sources_[source].below) ++source;
  return source;
}

std::vector<int64_t> DataOrder::batch(int64_t step, int64_t batch_size) {
  std::vector<int64_t> indices;
  const int64_t begin = step * batch_size, end = begin + batch_size;
  if (sources_.size() == 1) {
    for (int64_t i = begin; i < end; ++i) indices.push_back(sources_[0].at(i));
    return indices;
  }
  if (place_ > begin) {  // an earlier step: counted from the first place on
    for (Source& source : sources_) source.taken = 0;
    place_ = 0;
  }
  for (; place_ < end; ++place_) {
    Source& source = sources_[draw(place_)];
    if (place_ >= begin) indices.push_back(source.at(source.taken));
    ++source.taken;
  }
  return indices;
}

}  // namespace alambic
