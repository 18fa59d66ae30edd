#include "alambic/nn/tensor_parallel.h"

#include "alambic/base/error.h"

namespace alambic {

namespace {

Tensor sum_of(const World& group, const Tensor& own_ND, const char* doing) {
  check(!own_ND.requires_grad(), "gradients do not pass between ranks that write together");
  group.sum({own_ND}, doing);
  return own_ND;
}

struct MixerSum : Mixer {
  std::unique_ptr<Mixer> own;
  std::shared_ptr<const World> group;

  MixerSum(std::unique_ptr<Mixer> part, std::shared_ptr<const World> ranks)
      : own(std::move(part)), group(std::move(ranks)) {}
  Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                 int64_t layer) const override {
    return sum_of(*group, own->forward(x_ND, rotation, pass, layer), adding_heads);
  }
  void visit(const std::string& prefix, const TensorVisitor& visitor) override {
    own->visit(prefix, visitor);
  }
};

struct FeedForwardSum : FeedForward {
  std::unique_ptr<FeedForward> own;
  std::shared_ptr<const World> group;

  FeedForwardSum(std::unique_ptr<FeedForward> part, std::shared_ptr<const World> ranks)
      : own(std::move(part)), group(std::move(ranks)) {}
  Tensor forward(const Tensor& x_ND, const Pass& pass) const override {
    return sum_of(*group, own->forward(x_ND, pass), adding_columns);
  }
  void visit(const std::string& prefix, const TensorVisitor& visitor) override {
    own->visit(prefix, visitor);
  }
};

}  // namespace

std::unique_ptr<Mixer> added_up(std::unique_ptr<Mixer> part, std::shared_ptr<const World> group) {
  return std::make_unique<MixerSum>(std::move(part), std::move(group));
}

std::unique_ptr<FeedForward> added_up(std::unique_ptr<FeedForward> part,
                                      std::shared_ptr<const World> group) {
  return std::make_unique<FeedForwardSum>(std::move(part), std::move(group));
}

}  // namespace alambic
