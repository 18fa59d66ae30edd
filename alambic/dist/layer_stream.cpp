#include "alambic/dist/layer_stream.h"

#include <exception>

namespace alambic {

LayerStream::~LayerStream() noexcept(false) {
  if (weights_ == nullptr || std::uncaught_exceptions() > 0) return;
  leave();
  if (readers_ == Readers::first) weights_->announce(-1);
}

void LayerStream::at(int64_t layer) {
  if (weights_ == nullptr || layer < 0 || layer == layer_) return;
  leave();
  if (readers_ == Readers::first) weights_->announce(layer);
  weights_->bring(layer);
  layer_ = layer;
}

void LayerStream::leave() {
  if (layer_ >= 0) weights_->leave(layer_);
}

}  // namespace alambic
