#include "alambic/dist/layer_stream.h"

#include <exception>

#include "alambic/base/error.h"

namespace alambic {

LayerStream::~LayerStream() noexcept(false) {
  if (weights_ == nullptr || std::uncaught_exceptions() > 0) return;
  while (layer_ < weights_->layers()) next();
}

void LayerStream::at(int64_t layer) {
  if (weights_ == nullptr || layer < 0) return;
  check(layer >= layer_ && layer < weights_->layers(), "layer {} is read behind layer {}", layer,
        layer_);
  while (layer_ < layer) next();
}

void LayerStream::next() {
  if (layer_ >= 0) weights_->leave(layer_);
  if (++layer_ < weights_->layers()) weights_->bring(layer_);
}

}  // namespace alambic
