#include "alambic/nn/decoding_places.h"

#include <utility>

namespace alambic {

namespace {
thread_local const DecodingPlaces* current = nullptr;
}

DecodeAt::DecodeAt(const DecodingPlaces& places) : before_(std::exchange(current, &places)) {}

DecodeAt::~DecodeAt() { current = before_; }

const DecodingPlaces* decoding_places() { return current; }

}  // namespace alambic
