// The one walk over a model's tensors, with weights in either form; and what linear maps do with
// them.
#include <gtest/gtest.h>

#include <map>

#include "alambic/base/error.h"
#include "alambic/nn/linear.h"
#include "tests/packed_as_it_is.h"

namespace alambic::weight_visit_test {
namespace {

struct Map {
  Tensor tensor_ED = at::randn({6, 4});
  Linear dense, packed;

  Map() {
    dense.weight = tensor_ED;
    dense.bias = at::randn({6});
    packed = dense;
    packed.weight = packed_as_it_is(tensor_ED);
  }
};

TEST(WeightVisit, ReadsBothFormsAndPlainTensors) {
  Map map;
  for (Linear* linear : {&map.dense, &map.packed}) {
    std::map<std::string, int64_t> sizes;
    linear->visit("m", [&](const std::string& name, const Weight& w) { sizes[name] = w.numel(); });
    EXPECT_EQ(sizes, (std::map<std::string, int64_t>{{"m.weight", 24}, {"m.bias", 6}}));
  }
}

TEST(WeightVisit, HandsOutDenseTensorsAndRefusesPackedOnesByName) {
  Map map;
  int64_t seen = 0;
  const auto count = [&](const std::string&, Tensor& tensor) { seen += tensor.numel(); };
  map.dense.visit("m", count);
  EXPECT_EQ(seen, 30);
  try {
    map.packed.visit("m", count);
    FAIL() << "a packed weight was handed out";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("m.weight is packed"), 0U) << error.what();
  }
}

TEST(WeightVisit, ReplacesAWeightByTheOtherForm) {
  Map map;
  map.dense.visit("m", {[](const std::string&, Tensor&) {},
                        [](const std::string&, Weight& w) { w = packed_as_it_is(w.dense()); }});
  EXPECT_TRUE(map.dense.weight.is_packed());
}

// Conv1D's matrices are stored the other way round in files that have blocks.
TEST(WeightVisit, OffersNoPlaceForBlocksInAnInputMajorMap) {
  Linear map(4, 6, false, WeightLayout::input_major);
  map.visit("m", {[](const std::string&, Tensor&) {},
                  [](const std::string& name, Weight&) { ADD_FAILURE() << name; }});
}

TEST(WeightVisit, WalksLinearMapsOfEitherFormUnlessToldNot) {
  Map map;
  int maps = 0;
  const TensorVisitor visitor =
      TensorVisitor::of_linears([&](const std::string&, Linear&) { ++maps; });
  map.packed.visit("m", visitor);
  map.dense.visit("m", visitor);
  EXPECT_EQ(maps, 2);
  map.packed.visit("m", visitor.without_linears());
  EXPECT_EQ(maps, 2);
}

// Bug: a linear map with a packed weight forgot its adapter.
TEST(Linear, AddsItsAdapterToAPackedWeightToo) {
  const at::NoGradGuard no_grad;
  Map map;
  const Tensor x_ND = at::randn({3, 4}), without = map.packed(x_ND);
  EXPECT_TRUE(at::equal(without, map.dense(x_ND)));
  map.dense.lora = std::make_shared<Lora>();
  map.dense.lora->a_RI = at::randn({2, 4});
  map.dense.lora->b_ER = at::randn({6, 2});
  map.packed.lora = map.dense.lora;
  EXPECT_TRUE(at::equal(map.packed(x_ND), map.dense(x_ND)));
  EXPECT_FALSE(at::equal(map.packed(x_ND), without));
}

}  // namespace
}  // namespace alambic::weight_visit_test
