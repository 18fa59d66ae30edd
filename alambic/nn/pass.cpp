#include "alambic/nn/pass.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/kernels/device_graph.h"
#include "alambic/nn/decoding_places.h"

namespace alambic {

namespace {

std::vector<int64_t> positions_of(const Packed& input, const std::vector<int64_t>& starts) {
  std::vector<int64_t> positions;
  positions.reserve(input.positions());
  for (int64_t s = 0; s < input.sequences(); ++s) {
    for (int64_t i = 0; i < input.length(s); ++i) positions.push_back(starts[s] + i);
  }
  return positions;
}

// Behind the positions of a pass's rows their pages, and their entries there.
void add_places(std::vector<int64_t>& numbers, const Packed& input, const KvPages& pages,
                const std::vector<int64_t>& slots) {
  const int64_t rows = std::ssize(numbers);
  for (int64_t s = 0; s < input.sequences(); ++s) {
    for (int64_t n = input.offsets[s]; n < input.offsets[s + 1]; ++n) {
      numbers.push_back(pages.of(slots[s]).at(static_cast<size_t>(numbers[n] / pages.size())));
    }
  }
  for (int64_t n = 0; n < rows; ++n) numbers.push_back(numbers[n] % pages.size());
}

// Offsets of the sequences behind the first `count`, which have a row each.
std::vector<int64_t> offsets_behind(const Packed& input, int64_t count) {
  std::vector<int64_t> offsets(input.offsets.begin() + count, input.offsets.end());
  for (int64_t& offset : offsets) offset -= count;
  return offsets;
}

}  // namespace

Pass::Pass(const Packed& input)
    : input(input), tokens_N(input.tokens_N), starts_(input.sequences(), 0) {
  positions_N = at::tensor(positions_of(input, starts_), at::kLong).to(input.tokens_N.device());
  offsets = std::make_shared<const kernels::PackedOffsets>(input.offsets);
}

Pass::Pass(const Packed& input, KvCache& cache, std::vector<int64_t> slots)
    : input(input), cache(&cache), slots(std::move(slots)), tokens_N(input.tokens_N) {
  const int64_t count = input.sequences();
  const bool fresh = std::ranges::all_of(this->slots, [&](auto s) { return !cache.lengths[s]; });
  while (!fresh && stepping < count && input.length(stepping) == 1) ++stepping;
  check(fresh || stepping == count || (stepping > 0 && cache.mixes()),
        "a running sequence takes one token at a time");
  for (int64_t s = 0; s < count; ++s) {
    const int64_t start = cache.lengths[this->slots[s]];
    starts_.push_back(start);
    check(start + input.length(s) <= cache.capacity, "slot {} of the cache is full",
          this->slots[s]);
    check(start == 0 || s < stepping, "sequences that begin come behind those that go on");
  }
  if (const DecodingPlaces* places = decoding_places()) {
    positions_N = places_N = places->positions_B;
    pages_NP = places->pages_BP;
  } else {
    check(stepping == 0 || !cache.pages, "sequences in pages go on at places on their device");
    std::vector<int64_t> numbers = positions_of(input, starts_);
    if (cache.pages) {
      add_places(numbers, input, *cache.pages, this->slots);
    } else {
      for (int64_t s = 0; s < count; ++s) {
        numbers.insert(numbers.end(), input.length(s), this->slots[s]);
      }
    }
    const Tensor rows =
        at::tensor(numbers, at::kLong).view({-1, input.positions()}).to(input.tokens_N.device());
    positions_N = rows[0];
    pages_NP = rows[1].unsqueeze(1);
    places_N = cache.pages ? rows[2] : positions_N;
  }
  offsets = std::make_shared<const kernels::PackedOffsets>(offsets_behind(input, stepping));
}

Pass::Pass(const Pass& pass, const Packed& copy)
    : input(copy),
      cache(pass.cache),
      slots(pass.slots),
      stepping(pass.stepping),
      tokens_N(pass.tokens_N),
      positions_N(pass.positions_N),
      pages_NP(pass.pages_NP),
      places_N(pass.places_N),
      shared(pass.shared),
      offsets(pass.offsets),
      starts_(pass.starts_) {}

const std::vector<int64_t>& Pass::starts() const {
  kernels::not_to_be_recorded("it asks the host where sequences stand");
  return starts_;
}

int64_t Pass::longest() const {
  const DecodingPlaces* places = decoding_places();
  if (places != nullptr && places->longest > 0) return places->longest;
  check(stepping > 0, "the longest of no sequences");
  return 1 + *std::max_element(starts_.begin(), starts_.begin() + stepping);
}

Pass Pass::with_shared_prefixes() const {
  Pass result = *this;
  if (cache != nullptr || shared) return result;
  result.shared = alambic::shared_prefixes(input);
  if (!result.shared) return result;
  result.tokens_N = tokens_N.index_select(0, result.shared->first_R);
  result.positions_N = positions_N.index_select(0, result.shared->first_R);
  result.offsets =
      std::make_shared<const kernels::PackedOffsets>(result.shared->row_offsets, input.offsets);
  return result;
}

Tensor Pass::to_positions(const Tensor& x_ND) const {
  return shared ? alambic::to_positions(x_ND, shared) : x_ND;
}

Tensor Pass::to_rows(const Tensor& x_ND) const {
  return shared ? alambic::to_rows(x_ND, shared) : x_ND;
}

Tensor Pass::copies_N() const { return shared ? shared->copies_R : Tensor(); }

bool Pass::decodes() const {
  check(stepping == 0 || stepping == input.sequences(), "a layer that cannot begin sequences here");
  return stepping > 0;
}

void Pass::finish() {
  for (int64_t s = 0; s < input.sequences(); ++s) cache->lengths[slots[s]] += input.length(s);
}

}  // namespace alambic
