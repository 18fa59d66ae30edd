// Decode attention over a paged cache is the last row of attention's definition.
#include <cmath>
#include <random>

#include "alambic/kernels/attention_ref.h"
#include "tests/cuda/memory.h"

namespace alambic::kernels::decode_test {
namespace {

using namespace alambic::test;

// Running sequences whose keys and values lie in pages in a mixed order.
struct Cache {
  DeviceNumber type;
  std::vector<int32_t> lengths;
  int64_t H, K, d, dv, page;
  bool values_in_keys = false;  // as MLA's latent
  int64_t B = static_cast<int64_t>(lengths.size());
  int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  int64_t pages_each = std::max<int64_t>(1, (longest + page - 1) / page), pages = B * pages_each;
  std::vector<int64_t> table = shuffled();
  Numbers q = {type, normal(B* H* d, 1)};
  Numbers keys = {type, normal(pages* K* page* d, 2)};
  Numbers values = {type, normal(pages* K* page* dv, 3)};
  Numbers out = {type, static_cast<size_t>(B* H* dv)};

  std::vector<int64_t> shuffled() const {
    std::vector<int64_t> order(pages);
    for (int64_t i = 0; i < pages; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937(9));
    return order;
  }

  double softcap = 0, scale = 0.2;
  int64_t window = 0;
  std::vector<double> sinks = {};

  // One sequence by its definition: all positions, of which the last one is looked at.
  std::vector<double> expected(int64_t b) {
    const auto all_q = q.values(), all_k = keys.values(), all_v = values.values();
    const int64_t T = lengths[b];
    std::vector<double> qs(T * H * d), ks(T * K * d), vs(T * K * d);
    std::copy_n(all_q.begin() + b * H * d, H * d, qs.end() - H * d);
    for (int64_t e = 0; e < T; ++e) {
      const int64_t home = table[b * pages_each + e / page];
      for (int64_t k = 0; k < K; ++k) {
        const int64_t row = (home * K + k) * page + e % page;
        std::copy_n(all_k.begin() + row * d, d, ks.begin() + (e * K + k) * d);
        const auto from = values_in_keys ? all_k.begin() + row * d : all_v.begin() + row * dv;
        std::copy_n(from, dv, vs.begin() + (e * K + k) * d);
      }
    }
    const auto y =
        ref::packed_attention(qs, ks, vs, {0, T}, H, K, d, scale, window, softcap, sinks);
    std::vector<double> last;
    for (int64_t h = 0; h < H; ++h) {
      const auto from = y.end() - (H - h) * d;
      last.insert(last.end(), from, from + dv);
    }
    return last;
  }

  std::vector<double> found(int64_t room = 0) {
    std::vector<int64_t> last(lengths.begin(), lengths.end());
    for (int64_t& place : last) --place;
    Memory<int64_t> on_device(table), places(last);
    std::vector<float> of_heads(sinks.begin(), sinks.end());
    Memory<float> sink(of_heads), lse(B * H);
    DeviceDecode job = {.q = q.data(),
                        .q_row = H * d,
                        .q_head = d,
                        .keys = keys.data(),
                        .values = values_in_keys ? keys.data() : values.data(),
                        .key_page = K * page * d,
                        .key_head = page * d,
                        .key_entry = d,
                        .value_page = values_in_keys ? K * page * d : K * page * dv,
                        .value_head = values_in_keys ? page * d : page * dv,
                        .value_entry = values_in_keys ? d : dv,
                        .pages = {on_device.data(), pages_each, page},
                        .places = places.data(),
                        .B = B,
                        .H = H,
                        .K = K,
                        .d = d,
                        .dv = dv,
                        .longest = longest + room,
                        .scale = static_cast<float>(scale),
                        .window = window,
                        .softcap = static_cast<float>(softcap),
                        .sinks = sinks.empty() ? nullptr : sink.data(),
                        .out = out.data(),
                        .lse = lse.data(),
                        .scratch = nullptr,
                        .type = type};
    Memory<float> scratch(decode_scratch(job));
    job.scratch = scratch.data();
    return in_both_orders([&] {
      under_test().decode(job, nullptr);
      return out.values();
    });
  }

  void expect_right(const std::string& what) {
    const auto y = found();
    for (int64_t b = 0; b < B; ++b) {
      const std::vector<double> mine(y.begin() + b * H * dv, y.begin() + (b + 1) * H * dv);
      EXPECT_LT(error(mine, expected(b)), 2 * tolerance(type)) << what << ", sequence " << b;
    }
  }
};

TEST(DeviceDecode, IsTheDefinitionForEveryGroupingAndBothTypes) {
  for (const DeviceNumber type : both_types) {
    for (const auto& [H, K] : {std::pair<int64_t, int64_t>{2, 2}, {6, 2}, {10, 1}}) {
      Cache{.type = type, .lengths = {1, 16, 17, 33}, .H = H, .K = K, .d = 40, .dv = 40, .page = 16}
          .expect_right(std::to_string(H) + " heads");
    }
  }
}

TEST(DeviceDecode, LongSequencesAreSplitAtPartsAndPages) {
  for (const int32_t length :
       {decode_part - 1, decode_part, decode_part + 1, 2 * decode_part + 37}) {
    Cache{.type = DeviceNumber::f32,
          .lengths = {length, 3},
          .H = 4,
          .K = 1,
          .d = 8,
          .dv = 8,
          .page = 64}
        .expect_right(std::to_string(length));
  }
}

TEST(DeviceDecode, WindowsSoftCapsAndSinks) {
  for (const int64_t window : {1, 5, 300}) {
    Cache cache{.type = DeviceNumber::f32,
                .lengths = {4, 90, 290},
                .H = 4,
                .K = 2,
                .d = 16,
                .dv = 16,
                .page = 16};
    cache.window = window;
    cache.softcap = 1.5;
    cache.sinks = {0.5, -1, 3, 0};
    cache.expect_right("window " + std::to_string(window));
  }
}

TEST(DeviceDecode, MlasLatentIsKeyAndValue) {
  for (const DeviceNumber type : both_types) {
    Cache{.type = type,
          .lengths = {21},
          .H = 9,
          .K = 1,
          .d = 576,
          .dv = 512,
          .page = 16,
          .values_in_keys = true}
        .expect_right("latent");
  }
}

TEST(DeviceDecode, TheSameBitsWhateverElseIsInTheBatch) {
  Cache alone{
      .type = DeviceNumber::bf16, .lengths = {300}, .H = 2, .K = 1, .d = 16, .dv = 16, .page = 512};
  const auto y = alone.found();
  EXPECT_EQ(alone.found(700), y);  // room for a longer one
}

// What fits one part needs no second launch; a part more for another sequence changes no bit.
TEST(DeviceDecode, OnePartIsOneLaunch) {
  Cache cache{.type = DeviceNumber::f32,
              .lengths = {decode_part, 5},
              .H = 4,
              .K = 2,
              .d = 16,
              .dv = 16,
              .page = 512};
  cache.sinks = {0.5, -1, 3, 0};
  const int64_t before = simt::launches();
  const auto y = cache.found();
  EXPECT_TRUE(!are_our_own() || simt::launches() - before == 2) << "in both orders";
  EXPECT_EQ(cache.found(1), y);
}

TEST(DeviceDecode, AnEmptySequenceGivesZeros) {
  Cache cache{
      .type = DeviceNumber::f32, .lengths = {0, 2}, .H = 2, .K = 1, .d = 8, .dv = 8, .page = 16};
  const auto y = cache.found();
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(y[i], 0);
}

}  // namespace
}  // namespace alambic::kernels::decode_test
